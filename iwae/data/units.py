"""In what unit the pixels of a file are given: told where it is certain, never guessed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from iwae.errors import DataError

# A set whose brightest byte is not above half of 255 was most likely written in another unit.
DARKEST_WHITE = 127
# The byte that stands for a pixel that is fully on.
_SCALE = {"bool": 1, "0 or 1": 1, "0 or 255": 255, "0 to 255": 255, "unknown": 0}


def in_bytes(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Every split as uint8 0 … 255, where the unit that it is given in is certain.

    Args:
        arrays: bool or uint8, by the split's name.
        path: their file, for errors.

    Raises:
        DataError: a unit is not certain, the splits have different ones, or some are binary and some gray.
    """
    units = {split: _unit(array) for split, array in arrays.items()}
    shown = ", ".join(f"{split} {_range(array)}" for split, array in arrays.items())
    if len({_SCALE[unit] for unit in units.values() if unit != "bool"}) > 1:
        raise DataError(f"{path}: the splits have different ranges ({shown}): must be in one unit")
    if "unknown" in units.values():
        largest = max(int(array.max()) for array in arrays.values())
        raise DataError(
            f"{path}: uint8 up to {largest} is in no known unit ({shown}): must be 0 to 255"
            f" (np.round(array * (255 / {largest}))), or bool where the pixels are binary"
        )
    if "0 to 255" in units.values() and len(set(units.values())) > 1:
        shown = ", ".join(f"{split} {'gray' if u == '0 to 255' else 'binary'}" for split, u in units.items())
        raise DataError(
            f"{path}: the splits are of different kinds ({shown}): must be all binary or all gray"
        )
    factors = {split: 255 if unit in ("bool", "0 or 1") else 1 for split, unit in units.items()}
    return {split: array.astype(np.uint8) * np.uint8(factors[split]) for split, array in arrays.items()}


def _unit(array: np.ndarray) -> str:
    """In what the pixels of a split are given, where that is certain: no set of gray images ends at 1."""
    if array.dtype == np.bool_:
        return "bool"
    if not np.any(array > 1):
        return "0 or 1"
    if not np.any((array != 0) & (array != 255)):
        return "0 or 255"
    return "0 to 255" if int(array.max()) > DARKEST_WHITE else "unknown"


def _range(array: np.ndarray) -> str:
    return "bool" if array.dtype == np.bool_ else f"0 to {int(array.max())}"
