"""What the arrays of an .npz file are: items, labels and names, from their headers alone."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwae.data.npz.archive import Header, headers_of, refuse_larger_than_memory
from iwae.data.shapes import Arrangement, arrangement
from iwae.errors import DataError

VALIDATION_NAMES = ("validation", "valid", "val")
LABELS, ATTRIBUTES = "_labels", "_attributes"
LABEL_NAMES, FEATURE_NAMES = "label_names", "feature_names"


@dataclass(frozen=True)
class Contents:
    """The arrays of a file that are used.

    Attributes:
        splits: the name of each split's items in the file.
        labels: the name of each split's labels; empty where the file has none.
        attributes: the name of each split's attributes; empty where the file has none.
        headers: of all arrays, by name.
        floats: whether the items are floats, and not pixels.
        arrangement: of the items.
    """

    splits: Mapping[str, str]
    labels: Mapping[str, str]
    attributes: Mapping[str, str]
    headers: Mapping[str, Header]
    floats: bool
    arrangement: Arrangement

    def number(self, split: str) -> int:
        """Items of a split."""
        return self.headers[self.splits[split]].shape[0]

    @property
    def num_attributes(self) -> int:
        """Y, the width of the attributes; 0 where the file has none."""
        return self.headers[self.attributes["train"]].shape[1] if self.attributes else 0


def contents_of(archive: zipfile.ZipFile, path: Path) -> Contents:
    """What is in the file.

    Raises:
        DataError: an array is missing, empty, of another kind or another shape than ``train``, has a name
            that says nothing, or does not fit in memory; or labels are missing for a split.
    """
    headers = headers_of(archive, path)
    splits = _splits(headers, path)
    floats = _kind(headers, splits, path)
    items = headers["train"].shape[1:]
    for name in splits.values():
        shape = headers[name].shape
        if shape[1:] != items:
            raise DataError(f"{path}: {name} has items of {shape[1:]}: must be {items} as in train")
    laid_out = [arrangement(headers[n].shape, f"{path}: {n}", floats=floats) for n in splits.values()]
    refuse_larger_than_memory([headers[name] for name in splits.values()], path)
    labels, attributes = _labels(headers, splits, path), _attributes(headers, splits, path)
    return Contents(splits, labels, attributes, headers, floats, laid_out[0])


def _splits(headers: Mapping[str, Header], path: Path) -> dict[str, str]:
    """The name in the file of each split; arrays beside them must not look like items."""
    for name in ("train", "test"):
        if name not in headers:
            raise DataError(
                f"{path}: the array {name} is missing: the file has {', '.join(headers) or 'none'}"
            )
    named = [name for name in VALIDATION_NAMES if name in headers]
    if len(named) > 1:
        raise DataError(f"{path}: has {' and '.join(named)}: must have one array of validation items")
    names = {"train": "train", **({"validation": named[0]} if named else {}), "test": "test"}
    for name, header in headers.items():
        looks_like_items = len(header.shape) > 1 and header.shape[1:] == headers["train"].shape[1:]
        known = {*names.values(), *(one + ATTRIBUTES for one in names.values())}
        if looks_like_items and name not in known:
            raise DataError(
                f"{path}: the array {name} has items and is not used: must be named train, validation or"
                " test, or be left out"
            )
    return names


def _kind(headers: Mapping[str, Header], splits: Mapping[str, str], path: Path) -> bool:
    """Whether the items are floats."""
    for name in splits.values():
        dtype = headers[name].dtype
        if not _is_bytes(dtype) and not _is_float(dtype):
            fix = f" ({name}.astype(np.float32))" if dtype.kind in "iu" else ""
            raise DataError(
                f"{path}: {name} is {dtype}: must be uint8 (0 to 255) or bool of pixels, or"
                f" floats of 16, 32 or 64 bits{fix} of anything else"
            )
    kinds = {name: _is_float(headers[name].dtype) for name in splits.values()}
    if len(set(kinds.values())) > 1:
        shown = ", ".join(f"{name} {headers[name].dtype}" for name in kinds)
        raise DataError(f"{path}: the splits are of different kinds ({shown}): must be all floats or none")
    return kinds["train"]


def _is_bytes(dtype: np.dtype) -> bool:
    return dtype in (np.dtype(np.uint8), np.dtype(np.bool_))


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f" and dtype.itemsize in (2, 4, 8)


def _labels(headers: Mapping[str, Header], splits: Mapping[str, str], path: Path) -> dict[str, str]:
    """The name in the file of each split's labels: of all splits or of none."""
    found = _beside(headers, splits, LABELS, path)
    for split, name in found.items():
        shape, dtype = headers[name]
        if shape != headers[splits[split]].shape[:1]:
            raise DataError(
                f"{path}: {name} has the shape {shape}: must be {headers[splits[split]].shape[:1]},"
                f" a label an item of {splits[split]}"
            )
        if dtype.kind not in "biuUS":
            raise DataError(f"{path}: {name} is {dtype}: must be whole numbers or text")
    if len({headers[name].dtype.kind in "US" for name in found.values()}) > 1:
        raise DataError(f"{path}: some labels are text and some are numbers: must be of one kind")
    return found


def _attributes(headers: Mapping[str, Header], splits: Mapping[str, str], path: Path) -> dict[str, str]:
    """The name in the file of each split's attributes: of all splits or of none."""
    found = _beside(headers, splits, ATTRIBUTES, path)
    for split, name in found.items():
        shape, dtype = headers[name]
        expected = (headers[splits[split]].shape[0], *headers[found["train"]].shape[1:])
        if len(shape) != 2 or shape != expected or 0 in shape:
            raise DataError(
                f"{path}: {name} has the shape {shape}: must be [{expected[0]}, Y], of one width in all"
                " splits"
            )
        if dtype.kind not in "biuf":
            raise DataError(f"{path}: {name} is {dtype}: must be numbers")
    return found


def _beside(
    headers: Mapping[str, Header], splits: Mapping[str, str], ending: str, path: Path
) -> dict[str, str]:
    """The arrays beside those of the splits whose names end so: of all splits or of none."""
    names = {split: name + ending for split, name in splits.items()}
    found = {split: name for split, name in names.items() if name in headers}
    missing = [name for name in names.values() if name not in headers]
    if found and missing:
        raise DataError(
            f"{path}: has {', '.join(found.values())} and no {', '.join(missing)}: must have {ending[1:]} of"
            " every split, or of none"
        )
    return found
