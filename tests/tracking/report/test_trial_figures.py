from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tracking.records.records import TrialState
from tracking.report.charts.drawn.arrays import clouds, residuals
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


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGBA")])
def test_tiles_keep_every_channel(channels, mode):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 4, channels), dtype=np.uint8)
    picture = tiled(images, side=5)
    assert picture.mode == mode
    tile = np.asarray(picture)[6:11]
    if channels == 2:  # the two planes side by side
        assert np.array_equal(tile[:, 9:13], images[1, 1, :, :, 0])
        assert np.array_equal(tile[:, 13:17], images[1, 1, :, :, 1])
    else:
        assert np.array_equal(tile[:, 5:9].reshape(5, 4, channels), images[1, 1])


def test_maps_and_features_are_plots_of_their_own(make, tmp_path):
    trial = make.trial({}, state=TrialState.WAITING)
    for index, arrays in enumerate((make.latent_map(classes=14), make.latent_map(), make.features())):
        (path,) = write_trial_figures(trial, arrays, tmp_path / str(index))
        assert path.name == ("features.png" if index == 2 else "latent_map.png")
        with Image.open(path) as picture:
            assert min(picture.size) > 300


def test_residuals_are_in_the_features_own_standard_deviations(make):
    for count in (1, 3, 30):
        arrays = make.features(count)  # reconstructed by half of what they are
        truth = arrays["reconstructed"][0].astype(np.float64)
        expected = 0.5 * np.sqrt(1 + (truth.mean(0) / truth.std(0)) ** 2)
        found = [size for _, size in residuals(arrays)]
        assert found == pytest.approx(sorted(expected, reverse=True)[:20], rel=1e-4)


def test_classes_of_one_colour_have_different_symbols(make):
    found = clouds(make.latent_map(classes=14))
    assert [one.name for one in found] == [f"class {index}" for index in range(14)]
    assert len({(one.colour, one.symbol) for one in found}) == 14
    assert sum(len(one.points) for one in found) == 60
