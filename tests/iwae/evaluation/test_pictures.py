from typing import Any

import numpy as np
import torch

from iwae.data.dataset import Dataset
from iwae.data.pixels import evaluation_pixels
from iwae.evaluation.pictures import COLUMNS, pictures
from iwae.trainer.trainer import Trainer


def test_pictures_are_bytes_in_rows_and_columns_and_the_same_every_time(
    small_config: Any, digits: Dataset
) -> None:
    model = Trainer(small_config(), digits).model
    first, second = pictures(model, digits), pictures(model, digits)
    assert set(first) == {"samples", "reconstructions", "interpolation", "traversals"}
    for name, grid in first.items():
        assert grid.dtype == np.uint8
        assert grid.shape[1:] == (COLUMNS, 8, 8)
        assert np.array_equal(grid, second[name])


def test_images_stand_above_their_reconstructions(small_config: Any, digits: Dataset) -> None:
    model = Trainer(small_config(), digits).model
    grid = pictures(model, digits)["reconstructions"]
    image = evaluation_pixels(digits.test[:200], "fixed", "pictures")[11].reshape(8, 8)
    assert np.array_equal(grid[2, 1], image)
    with torch.no_grad():
        expected = model.reconstruct(image.reshape(1, 64).float() / 255) * 255
    np.testing.assert_allclose(grid[3, 1].ravel(), expected[0].round(), atol=1)


def test_small_data_sets_have_pictures_too(small_config: Any, digits: Dataset) -> None:
    from dataclasses import replace

    model = Trainer(small_config(), digits).model
    grids = pictures(model, replace(digits, test=digits.test[:3]))
    assert grids["reconstructions"].shape == (2, 3, 8, 8)
    assert grids["interpolation"].shape == (1, COLUMNS, 8, 8)
