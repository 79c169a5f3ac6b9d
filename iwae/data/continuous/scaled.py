"""The splits of a data set as a model sees them: bytes as they are, floats scaled."""

from collections.abc import Mapping, Sequence

import numpy as np

from iwae.config.data import ScalingKind
from iwae.data.continuous.feature_names import some_names
from iwae.data.continuous.fit import ROWS, shift_and_scale
from iwae.data.continuous.refusals import as_float32, refuse_constant
from iwae.errors import DataError
from iwae.scaling import Scaling


def scaled(
    rows: Mapping[str, np.ndarray], kind: ScalingKind, name: str, names: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], Scaling | None]:
    """Every split as uint8 or float32 ``[N, X]``, in memory of its own, and what floats were scaled by.

    Args:
        rows: uint8 or floats ``[N, X]``, by split. The scale is that of ``train`` alone.
        kind: bytes are never scaled, whatever it is.
        name: of the data set, for errors.
        names: of the features.

    Raises:
        DataError: a feature is constant, or its values are too large or too small.
    """
    if rows["train"].dtype == np.uint8:
        return {split: array.copy() for split, array in rows.items()}, None
    if kind == "none":
        return {split: as_float32(array, f"{name}: {split}", names) for split, array in rows.items()}, None
    refuse_constant(rows["train"], name, names)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        shift, scale = shift_and_scale(rows["train"], kind)
        wrong = np.flatnonzero(~(np.isfinite(shift) & np.isfinite(scale) & (scale > np.finfo(float).tiny)))
    if len(wrong):
        raise DataError(
            f"data.scaling: {kind} is not allowed: {name} has values too large or too close together for it"
            f" ({some_names(wrong, names)}): save them in another unit"
        )
    scaling = Scaling(shift, scale)
    return {split: _applied(scaling, array, f"{name}: {split}") for split, array in rows.items()}, scaling


def _applied(scaling: Scaling, rows: np.ndarray, where: str) -> np.ndarray:
    """float32 ``[N, X]``; computed in float64, some rows at a time."""
    found = np.empty(rows.shape, np.float32)
    with np.errstate(over="ignore"):
        for start in range(0, len(rows), ROWS):
            found[start : start + ROWS] = scaling.apply(rows[start : start + ROWS])
    if not np.isfinite(found).all():
        raise DataError(f"{where} has values so far beyond the training range that float32 cannot hold them")
    return found
