from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tracking.records.records import TrialState
from tracking.report.stills.tiles import tiled
from tracking.report.stills.trial import write_trial_figures


def test_a_trial_gets_its_grids_and_its_curves(make, tmp_path):
    record = make.sweep(make.ks(5), seeds=(0,))
    (trial,) = record.trials
    files = write_trial_figures(trial, make.pictures(record)[trial.key], tmp_path / "figures")
    names = ["samples.png", "reconstructions.png", "interpolation.png", "traversals.png", "curves.png"]
    assert [path.name for path in files] == names
    for path in files:
        with Image.open(path) as picture:
            assert min(picture.size) > 200


def test_a_trial_without_history_or_pictures_gets_nothing(make, tmp_path):
    assert write_trial_figures(make.trial({}, state=TrialState.WAITING), {}, tmp_path) == []


def test_curves_are_drawn_from_a_single_epoch_without_evaluation(make, tmp_path):
    trial = make.trial({})
    epoch = replace(trial.history[0], metrics={"train/bound": -200.0, "time/train_seconds": 1.0})
    (path,) = write_trial_figures(replace(trial, history=(epoch,)), {}, tmp_path)
    assert path.name == "curves.png"


@pytest.mark.parametrize("side", [8, 28])
def test_tiles_keep_every_pixel_in_its_place(side):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, side, side), dtype=np.uint8)
    picture = np.asarray(tiled(images, side=side * 2))
    assert picture.shape == (2 * (3 * (side + 1) - 1), 2 * (4 * (side + 1) - 1))
    row, column = 2, 1
    top, left = 2 * row * (side + 1), 2 * column * (side + 1)
    tile = picture[top : top + 2 * side : 2, left : left + 2 * side : 2]
    np.testing.assert_array_equal(tile, images[row, column])
