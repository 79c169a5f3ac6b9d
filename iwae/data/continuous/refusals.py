"""Numbers that no density can be fitted to, each told in one line with what to do."""

from collections.abc import Sequence

import numpy as np

from iwae.data.continuous.feature_names import feature_name, some_names
from iwae.errors import DataError

# Of a feature's standard deviation: what rounding to float32 may move its values by.
MAX_ROUNDING = 1e-3


def refuse_not_finite(values: np.ndarray, where: str, names: Sequence[str] = ()) -> None:
    """Refuse NaN and infinity.

    Args:
        values: floats ``[N, ...]``.
        where: file and array, for the error.
        names: of the features, in the order of the flattened items.

    Raises:
        DataError: how many there are, and where the first one is.
    """
    wrong = ~np.isfinite(values)
    number = int(wrong.sum())
    if not number:
        return
    nans = int(np.isnan(values).sum())
    kinds = [f"{n:,} {kind}" for n, kind in ((nans, "NaN"), (number - nans, "infinite")) if n]
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    named = f", {names[int(np.ravel_multi_index(first[1:], values.shape[1:]))]}" if names else ""
    items = int(wrong.reshape(len(values), -1).any(1).sum())
    raise DataError(
        f"{where} has {' and '.join(kinds)} of {values.size:,} values, in {items:,} of {len(values):,} items"
        f" (the first at {list(first)}{named}): must be finite: drop those items or fill the gaps"
    )


def refuse_constant(train: np.ndarray, where: str, names: Sequence[str] = ()) -> None:
    """Refuse features that cannot be scaled because all training items have the same value.

    Args:
        train: floats ``[N, X]``.
        where: the data set, for the error.
        names: of the features.

    Raises:
        DataError: names them.
    """
    constant = np.flatnonzero(train.min(0) == train.max(0))
    if not len(constant):
        return
    raise DataError(
        f"data.scaling: {where} has {len(constant):,} of {train.shape[1]:,} features that are the same in all"
        f" {len(train):,} training items ({some_names(constant, names)}), which no scaling and no density"
        " fits: drop them from the data, or set data.scaling: none and a fixed model.observation_std"
    )


def as_float32(values: np.ndarray, where: str, names: Sequence[str] = ()) -> np.ndarray:
    """float32 ``[N, X]``, where that loses nothing that matters.

    Raises:
        DataError: a value is too large for float32, or a feature's values lie so close together, far from
            zero, that float32 cannot tell them apart.
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded: np.ndarray = values.astype(np.float32)
    fix = "set data.scaling: standardize"
    if not np.isfinite(rounded).all():
        feature = int(np.argwhere(~np.isfinite(rounded))[0][1])
        raise DataError(
            f"{where} has values up to {float(np.abs(values).max()):.2g} ({feature_name(feature, names)}),"
            f" too large for float32: {fix}"
        )
    if values.dtype == np.float64:
        error = np.abs(values - rounded).max(0)
        close = np.flatnonzero((error > MAX_ROUNDING * values.std(0)) & (values.min(0) < values.max(0)))
        if len(close):
            raise DataError(
                f"{where} has {len(close):,} of {values.shape[1]:,} features whose values float32 cannot tell"
                f" apart ({some_names(close, names)}): {fix}"
            )
    return rounded
