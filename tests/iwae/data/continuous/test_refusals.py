from collections.abc import Callable

import numpy as np
import pytest

from iwae.data.continuous.refusals import as_float32, refuse_constant, refuse_not_finite
from iwae.errors import DataError

ROWS = np.random.default_rng(0).normal(size=(50, 3))


def with_values(**values: tuple[int, int]) -> np.ndarray:
    rows = ROWS.copy()
    for value, place in values.items():
        rows[place] = float(value)
    return rows


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (
            lambda: refuse_not_finite(with_values(nan=(4, 1), inf=(7, 0)), "a.npz: train", ("a", "b", "c")),
            r"a.npz: train has 1 NaN and 1 infinite of 150 values, in 2 of 50 .*the first at \[4, 1\], b",
        ),
        (
            lambda: refuse_not_finite(with_values(nan=(4, 1)).reshape(50, 3, 1), "train", ("a", "b", "c")),
            r"the first at \[4, 1, 0\], b",
        ),
        (lambda: refuse_constant(ROWS * [1, 0, 1] + 0.1, "mine"), r"1 of 3 features .*\(feature 1\)"),
        (lambda: as_float32(ROWS * [1, 1e300, 1], "mine"), r"too large for float32: set data.scaling"),
        (
            lambda: as_float32(ROWS + np.array([0, 0, 1.6e9]), "mine", ("a", "b", "time")),
            r"apart \(time\): set",
        ),
    ],
)
def test_numbers_that_nothing_can_be_fitted_to_are_one_line(
    refuse: Callable[[], object], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        refuse()
    assert "\n" not in str(caught.value)


def test_numbers_that_float32_holds_are_taken_as_they_are() -> None:
    half = ROWS.astype(np.float16)
    assert np.array_equal(as_float32(half, "mine"), half.astype(np.float32))
    stamps = (1.6e9 + 1000 * ROWS).astype(np.float32)  # what was lost was lost before
    assert np.array_equal(as_float32(stamps, "mine"), stamps)
    assert np.array_equal(as_float32(np.full((9, 1), 0.1), "mine"), np.full((9, 1), 0.1, np.float32))
