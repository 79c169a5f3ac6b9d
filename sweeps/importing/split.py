"""Which items train, which validate, which test: by a seed, never the end of a file as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from iwae.errors import ConfigError, DataError
from sweeps.importing.source import WHOLE, Part, Source, listed

DEFAULT_SHARES = {"validation": 0.1, "test": 0.2}
LEAST = 2  # items of a split: fewer have no spread


@dataclass(frozen=True)
class Size:
    """How large a split shall be: a share of all items, or a number of them."""

    value: float | int

    @classmethod
    def parse(cls, text: str, option: str) -> Self:
        """``0.1`` is a share, ``1000`` a number.

        Raises:
            ConfigError: it is neither.
        """
        try:
            value = int(text) if text.strip().isdigit() else float(text)
        except ValueError:
            value = 0
        if not (0 < value < 1 or (isinstance(value, int) and value >= LEAST)):
            raise ConfigError(
                option, f"{text} is not allowed: must be a share as 0.1, or a number of items, >= {LEAST}"
            )
        return cls(value)

    def of(self, count: int) -> int:
        """How many of ``count`` items."""
        return self.value if isinstance(self.value, int) else max(LEAST, round(self.value * count))


def split(source: Source, sizes: Mapping[str, Size], seed: int, path: Path) -> Source:
    """The source with train, validation and test; what it has of them stays what it is.

    What is missing is drawn by the seed from its training items; where items have groups, none is in two
    splits. In each split items stand as they stood in the source.

    Args:
        source: with ready items.
        sizes: of the splits that the source lacks, where a user said so.
        seed: the same seed takes the same items.
        path: of the source, for errors.

    Raises:
        ConfigError: a size is given for a split that the source has, or leaves no training items.
        DataError: it has a validation or test split and nothing to train on, or too few items or groups.
    """
    parts = dict(source.parts)
    if WHOLE in parts:
        parts["train"] = parts.pop(WHOLE)
    if "train" not in parts:
        raise DataError(f"{path}: has {listed(list(parts))} and no training items: must have train")
    missing = [name for name in ("test", "validation") if name not in parts]
    for name in sizes:
        if name not in missing:
            raise ConfigError(
                f"--{name}", f"is not allowed: the source has {len(parts[name]):,} {name} items of its own"
            )
    whole = parts["train"]
    counts = {name: sizes.get(name, Size(DEFAULT_SHARES[name])).of(len(whole)) for name in missing}
    if missing and len(whole) - sum(counts.values()) < 1:
        told = " and ".join(f"{count:,} for {name}" for name, count in counts.items())
        raise ConfigError(
            " and ".join(f"--{name}" for name in counts),
            f"{told} is not allowed: must leave training items, there are {len(whole):,}",
        )
    of_items = (
        _by_groups(whole.groups, counts, seed, path)
        if whole.groups is not None
        else _by_items(len(whole), counts, seed)
    )
    drawn = {name: whole.take(of_items == place) for place, name in enumerate(("train", *counts))}
    parts.update(drawn)
    for name in ("train", "validation", "test"):
        if len(parts[name]) < LEAST:
            raise DataError(f"{path}: {name} has {len(parts[name])} items: must have >= {LEAST}")
    ordered = {name: parts[name] for name in ("train", "validation", "test")}
    return replace(source, parts=ordered, notes=(*source.notes, *_notes(source, ordered, missing, seed)))


def _by_items(count: int, counts: Mapping[str, int], seed: int) -> np.ndarray:
    """``[N]``: 0 trains, 1 is in the first of ``counts``, 2 in the second."""
    order, of_items, start = _mixed(count, seed), np.zeros(count, np.int64), 0
    for place, size in enumerate(counts.values(), start=1):
        of_items[order[start : start + size]] = place
        start += size
    return of_items


def _by_groups(groups: np.ndarray, counts: Mapping[str, int], seed: int, path: Path) -> np.ndarray:
    """As ``_by_items``, whole groups: each goes where it brings a split closer to its size."""
    names, of_groups, sizes = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    if len(names) <= len(counts):
        raise DataError(f"{path}: has {len(names)} groups: must have >= {len(counts) + 1}, one a split")
    free = list(_mixed(len(names), seed))
    place_of = np.zeros(len(names), np.int64)
    for place, wanted in enumerate(counts.values(), start=1):
        held, keep = 0, len(counts) - place + 1  # groups that the splits after it and train need
        for group in list(free):
            if sizes[group] < 2 * (wanted - held) and len(free) > keep:
                place_of[group] = place
                held += int(sizes[group])
                free.remove(group)
        if held == 0:
            smallest = min(free, key=lambda group: (sizes[group], group))
            place_of[smallest] = place
            free.remove(smallest)
    return place_of[of_groups.ravel()]


def _mixed(count: int, seed: int) -> np.ndarray:
    """The numbers 0 ... ``count`` - 1, mixed: by raw bits, which NumPy promises to be the same for good."""
    order: np.ndarray = np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
    return order


def _notes(source: Source, parts: Mapping[str, Part], missing: list[str], seed: int) -> list[str]:
    own = [name for name in ("train", "validation", "test") if name in source.parts]
    notes = [f"{' and '.join(own)}: as the source has them"] if own and missing != own else []
    if missing:
        drawn = " and ".join(reversed(missing))
        by = "by groups, none in two splits" if parts["train"].groups is not None else "at random"
        notes.append(f"{drawn} drawn {by}, seed {seed}")
    seen: dict[str, str] = {}
    for name, part in parts.items():
        for group in () if part.groups is None else np.unique(part.groups.astype(str)):
            if seen.setdefault(str(group), name) != name:
                return [
                    *notes,
                    f"the source's splits share groups: {group} is in {seen[str(group)]} and in {name}",
                ]
    return notes
