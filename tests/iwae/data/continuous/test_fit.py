import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from iwae.data.continuous.fit import ROWS, shift_and_scale

DATA = np.random.default_rng(0).gamma(2.0, size=(2 * ROWS + 7, 3)) * [1e-6, 1, 1e6] + [0, -5, 1e8]


@pytest.mark.parametrize(("kind", "scaler"), [("standardize", StandardScaler()), ("min-max", MinMaxScaler())])
def test_scaled_as_scikit_learn_does(kind: str, scaler: StandardScaler | MinMaxScaler) -> None:
    shift, scale = shift_and_scale(DATA, kind)  # type: ignore[arg-type]
    np.testing.assert_allclose((DATA - shift) / scale, scaler.fit_transform(DATA), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_sums_are_in_float64_whatever_the_file_has(dtype: type) -> None:
    rows = (np.random.default_rng(1).normal(size=(5000, 2)) + 100).astype(dtype)
    shift, scale = shift_and_scale(rows, "standardize")
    np.testing.assert_allclose(shift, rows.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(scale, rows.astype(np.float64).std(0), rtol=1e-10)
