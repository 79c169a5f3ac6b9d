"""Classes as the numbers 0, 1, ... and their names."""

from pathlib import Path
from typing import Any

import numpy as np

from iwae.errors import DataError
from sweeps.importing.source import Source, listed


def numbered(source: Source, path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...] | None]:
    """int64 ``[N]`` of each split, and the names of the classes; nothing where a split has no labels.

    Whole numbers 0, 1, ... stay what they are. Others, and text, are numbered in order, and keep what they
    were as names.

    Raises:
        DataError: labels are neither text nor whole numbers, or are no index of the names that the source
            gives.
    """
    given = {split: part.labels for split, part in source.parts.items() if part.labels is not None}
    if len(given) < len(source.parts):
        return {}, None
    plain = {split: _plain(labels, path) for split, labels in given.items()}
    classes = sorted({value for values in plain.values() for value in values})
    if all(isinstance(value, int) for value in classes):
        if source.label_names is not None:
            if classes[0] < 0 or classes[-1] >= len(source.label_names):
                raise DataError(
                    f"{path}: labels {classes[0]} to {classes[-1]} do not fit {len(source.label_names)}"
                    " label_names: must be 0 to their number less one"
                )
            return {split: np.array(values, np.int64) for split, values in plain.items()}, source.label_names
        if classes == list(range(len(classes))):
            return {split: np.array(values, np.int64) for split, values in plain.items()}, None
    place = {value: number for number, value in enumerate(classes)}
    numbers = {split: np.array([place[v] for v in values], np.int64) for split, values in plain.items()}
    return numbers, tuple(str(value) for value in classes)


def without_some(source: Source) -> list[str]:
    """What is lost where only some splits have labels, as a note."""
    having = [split for split, part in source.parts.items() if part.labels is not None]
    lacking = [split for split in source.parts if split not in having]
    return [f"labels are left out: {listed(lacking)} has none"] if having and lacking else []


def _plain(labels: np.ndarray, path: Path) -> list[Any]:
    """Labels as Python's own ints, or all as text."""
    if labels.dtype.kind in "biu":
        return [int(value) for value in labels]
    values = [value.decode() if isinstance(value, bytes) else value for value in labels.tolist()]
    if any(isinstance(value, str) for value in values):
        return [str(value).strip() for value in values]
    if all(float(value).is_integer() for value in values):
        return [int(value) for value in values]
    strange = next(value for value in values if not float(value).is_integer())
    raise DataError(f"{path}: the label {strange:g} is not allowed: must be a class, text or a whole number")
