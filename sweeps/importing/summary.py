"""What was understood of a source and written, in numbers."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.importing.source import Kind


@dataclass(frozen=True)
class SplitSummary:
    """One split.

    Attributes:
        items: how many.
        low: the smallest number in it.
        high: the largest.
        repeated: how many of its items are in an earlier split too (train, validation, test).
        classes: how many items of each class; empty without labels.
    """

    items: int
    low: float
    high: float
    repeated: int
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Imported:
    """A source that was imported.

    Attributes:
        out: the file that was written.
        sha256: of that file.
        size: bytes.
        kind: what the source is, in words.
        numbers: what the items are: "binary", "bytes" or "floats".
        shape: of one item.
        dtype: of the arrays.
        splits: by name.
        label_names: of the classes; None where they are 0, 1, ..., or there are none.
        feature_names: of the features; None where the source names none.
        constant: features, by number, that are the same in every training item.
        dropped: items that were left out because something is missing.
        seed: of the splits that were drawn.
        notes: what else was understood or left out, a line each.
    """

    out: Path
    sha256: str
    size: int
    kind: str
    numbers: Kind
    shape: tuple[int, ...]
    dtype: str
    splits: dict[str, SplitSummary]
    label_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    constant: tuple[int, ...]
    dropped: int
    seed: int
    notes: tuple[str, ...]

    @property
    def base(self) -> dict[str, Any]:
        """What stands under ``base`` of a spec that trains on it."""
        data: dict[str, Any] = {"name": "npz", "path": str(self.out)}
        if self.numbers == "bytes":
            return {"data": {**data, "binarization": "dynamic"}}
        if self.numbers == "binary":
            return {"data": {**data, "binarization": "none"}}
        scaled = {**data, "binarization": "none", "scaling": "standardize"}
        return {"data": scaled, "model": {"likelihood": "gaussian"}}

    def to_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "path": str(self.out),
            "sha256": self.sha256,
            "bytes": self.size,
            "source": self.kind,
            "numbers": self.numbers,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "splits": {
                name: {
                    "items": split.items,
                    "low": split.low,
                    "high": split.high,
                    "repeated": split.repeated,
                    "classes": list(split.classes),
                }
                for name, split in self.splits.items()
            },
            "label_names": None if self.label_names is None else list(self.label_names),
            "feature_names": None if self.feature_names is None else list(self.feature_names),
            "constant_features": list(self.constant),
            "dropped": self.dropped,
            "seed": self.seed,
            "notes": list(self.notes),
            "base": self.base,
        }


def of_splits(
    arrays: dict[str, np.ndarray], labels: dict[str, np.ndarray], num_classes: int
) -> dict[str, SplitSummary]:
    """The summary of each split, in the order in which they are given."""
    seen: set[bytes] = set()
    found = {}
    for split, items in arrays.items():
        own = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in items]
        counts = np.bincount(labels[split], minlength=num_classes).tolist() if split in labels else []
        found[split] = SplitSummary(
            len(items),
            float(items.min()),
            float(items.max()),
            sum(row in seen for row in own),
            tuple(counts),
        )
        seen.update(own)
    return found


def constant_features(train: np.ndarray) -> tuple[int, ...]:
    """Which features, by number, are the same in every item."""
    flat = train.reshape(len(train), -1)
    return tuple(int(number) for number in np.flatnonzero((flat == flat[0]).all(0)))
