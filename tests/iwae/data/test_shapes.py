import numpy as np
import pytest

from iwae.data.shapes import arrangement
from iwae.errors import DataError


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((9, 7), (7,)),
        ((9, 8, 6), (8, 6)),
        ((9, 8, 6, 3), (8, 6, 3)),
        ((9, 3, 8, 6), (8, 6, 3)),
        ((9, 8, 6, 1), (8, 6)),
        ((9, 1, 8, 6), (8, 6)),
        ((9, 2, 8, 6), (8, 6, 2)),
        ((9, 4, 8, 6), (8, 6, 4)),
        ((9, 3, 2, 5), (2, 5, 3)),
    ],
)
def test_pixel_keeps_its_row_column_and_channel(shape: tuple[int, ...], layout: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = arrangement(shape, "train", floats=False)
    assert found.layout.shape == layout
    items = found.items(array)
    assert items.shape == (9, *layout)
    if found.channels_first:
        assert np.array_equal(items[4, 1, 2], array[4, :, 1, 2].reshape(items[4, 1, 2].shape))
    else:
        assert np.array_equal(items.ravel(), array.ravel())


@pytest.mark.parametrize("shape", [(9, 8, 8, 8), (9, 5, 6, 7), (9, 2, 3, 4, 5)])
def test_floats_of_any_other_shape_are_features(shape: tuple[int, ...]) -> None:
    assert arrangement(shape, "train", floats=True).layout.shape == (int(np.prod(shape[1:])),)
    with pytest.raises(DataError, match="with C <= 4"):
        arrangement(shape, "train", floats=False)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 3, 5, 4), r"the channels could be|channels could be the first or the last"),
        ((9, 3, 3, 3), "channels could be the first or the last"),
        ((9,), r"array\[:, None\] has one feature"),
        ((9, 0, 3), "not empty"),
        ((0, 8, 8), "not empty"),
    ],
)
def test_shape_that_is_not_certain_is_one_line(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        arrangement(shape, "train", floats=True)
    assert "\n" not in str(caught.value)
