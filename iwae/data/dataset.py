"""A data set: three splits, what an item is, labels, scaling, and their hash."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.data.continuous.feature_names import some_names
from iwae.data.continuous.remarks import discrete_remark, range_remark, scale_remark
from iwae.data.known_density import KnownDensity
from iwae.data.units import DARKEST_WHITE
from iwae.errors import DataError
from iwae.scaling import Scaling

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Labels:
    """The class of every item.

    Attributes:
        train: int64 ``[N]``, from 0.
        validation: int64 ``[N]``.
        test: int64 ``[N]``.
        names: of the classes, as many as there are.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    names: tuple[str, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the labels of the three splits, in hexadecimal."""
        return content_hash([self.train, self.validation, self.test])

    def remarks(self, name: str) -> Iterator[str]:
        """Sentences on classes of the data set ``name`` that no training item has."""
        known = set(self.train.tolist())
        for split in SPLITS[1:]:
            labels = getattr(self, split)
            new = sorted(set(labels.tolist()) - known)
            if new:
                number = sum(int((labels == one).sum()) for one in new)
                yield (
                    f"{number:,} of {len(labels):,} {split} items of {name} are of a class that no training"
                    f" item has ({some_names(new, self.names)})."
                )

    def one_hot(self, split: str) -> Tensor:
        """What a conditional model is told: float32 ``[N, Y]``; Y = 0 where there is but one class."""
        labels: Tensor = getattr(self, split)
        if len(self.names) < 2:
            return torch.zeros(len(labels), 0, device=labels.device)
        return torch.nn.functional.one_hot(labels, len(self.names)).float()


class Origin(NamedTuple):
    """Where the items of a split stand in their source.

    Attributes:
        array: ``train``, ``validation`` or ``test``, of the source's own arrays.
        rows: int64 ``[N]``, from 0: of that array, or of the whole table where the source is one.
    """

    array: str
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of items: bytes, 0 (background) to 255, or float32 numbers as a model sees them.

    Attributes:
        train: uint8 or float32 ``[N, X]``, an item flattened in the order of its layout.
        validation: as ``train``, held out of the training items.
        test: as ``train``.
        layout: of an item, with X numbers.
        name: as in ``DataConfig``.
        content_hash: SHA-256 over the shapes and contents of the three splits, in hexadecimal.
        labels: of every item, where the set has them.
        attributes: numbers that a conditional model is told in place of labels, float32 ``[N, Y]`` by split.
        scaling: what floats were scaled by; None where a model sees them as they are.
        feature_names: of the X numbers, where the set has them.
        origins: of the items of each split; None where nobody said.
        measured: SHA-256 of validation and test before they were scaled; None where nothing was.
        density: what the items were drawn from, in their own unit; None where nobody knows.

    Raises:
        DataError: a split is no uint8 or float32 tensor ``[N, X]``, or its brightest byte is so dark that it
            was most likely written in another unit.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    layout: Layout
    name: str
    content_hash: str
    labels: Labels | None = None
    attributes: Mapping[str, Tensor] | None = None
    scaling: Scaling | None = None
    feature_names: tuple[str, ...] = ()
    measured: str | None = None
    origins: Mapping[str, Origin] | None = None
    density: KnownDensity | None = None

    def __post_init__(self) -> None:
        for split in SPLITS:
            values = getattr(self, split)
            if values.dtype not in (torch.uint8, torch.float32) or values.dtype != self.train.dtype:
                raise DataError(
                    f"{self.name}: {split} is {values.dtype}: must be torch.uint8, 0 (background) to 255,"
                    " or torch.float32, in all splits"
                )
            if values.ndim != 2 or values.shape[1] != self.layout.num_pixels or len(values) == 0:
                raise DataError(
                    f"{self.name}: {split} has the shape {tuple(values.shape)}: must be"
                    f" [N, {self.layout.num_pixels}] for items of {' × '.join(map(str, self.layout.shape))}"
                )
            if values.dtype == torch.uint8 and 0 < (largest := int(values.max())) <= DARKEST_WHITE:
                raise DataError(
                    f"{self.name}: {split} goes up to {largest}: must be 0 (background) to 255, in which"
                    f" {largest} is dark: multiply by 255 / {largest}"
                )

    @property
    def holds_bytes(self) -> bool:
        """Whether items are bytes, and not floats."""
        return self.train.dtype == torch.uint8

    @property
    def log_determinant(self) -> float:
        """What a log-density is higher by in the data's own unit than as a model sees them, in nats."""
        return 0.0 if self.scaling is None else self.scaling.log_determinant

    def told(self, split: str) -> Tensor:
        """What a conditional model is told of each item, float32 ``[N, Y]``: attributes, else its class."""
        if self.attributes is not None:
            return self.attributes[split]
        assert self.labels is not None, "a set without labels suits no conditional model"
        return self.labels.one_hot(split)

    @cached_property
    def told_hash(self) -> str:
        """SHA-256 of what a conditional model is told; empty where the set has nothing to tell."""
        if self.attributes is not None:
            return content_hash([self.attributes[split] for split in SPLITS])
        return "" if self.labels is None else self.labels.hash

    @cached_property
    def measured_hash(self) -> str:
        """SHA-256 of what likelihoods are measured on: the validation and the test items."""
        return self.measured or content_hash([self.validation, self.test])

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What whoever compares likelihoods on this set should know of it, a sentence each."""
        splits = {split: getattr(self, split).cpu().numpy() for split in SPLITS}
        found = [] if self.labels is None else [*self.labels.remarks(self.name)]
        if not self.holds_bytes:
            found.append(scale_remark(splits["train"], self.name))
            found.append(discrete_remark(splits["train"], self.name, self.feature_names))
            for split in SPLITS[1:]:
                which = f"{split} items of {self.name}"
                found.append(
                    range_remark(splits["train"], splits[split], which, self.feature_names, self.scaling)
                )
        return tuple(remark for remark in found if remark)

    @cached_property
    def repeated(self) -> dict[str, int]:
        """How many validation and how many test images are training images too, pixel by pixel."""
        seen = {row.tobytes() for row in self.train.cpu().numpy()}
        parts = {"validation": self.validation, "test": self.test}
        return {
            split: sum(row.tobytes() in seen for row in images.cpu().numpy())
            for split, images in parts.items()
        }

    @property
    def num_pixels(self) -> int:
        """X, the numbers of an item."""
        return self.train.shape[1]

    def to(self, device: torch.device | str) -> "Dataset":
        """The same set with its splits on ``device``."""
        moved = {split: getattr(self, split).to(device) for split in SPLITS}
        labels, told = self.labels, self.attributes
        if labels is not None:
            labels = replace(labels, **{split: getattr(labels, split).to(device) for split in SPLITS})
        if told is not None:
            told = {split: told[split].to(device) for split in SPLITS}
        return replace(self, **moved, labels=labels, attributes=told)


class RawSplits(NamedTuple):
    """Items as a set's source gives them: uint8 or float ``[N, ...]``; validation may be missing.

    An item is ``[H, W]`` or ``[H, W, C]`` of an image, else ``[X]``. Labels, by split, are int64 ``[N]``,
    ``label_names`` names the classes and ``feature_names`` the X numbers of an item. ``rows``, by array, says
    which rows of the source its items are, where they do not stand in its order. ``attributes``, by split,
    are ``[N, Y]``.
    """

    train: np.ndarray
    validation: np.ndarray | None
    test: np.ndarray
    labels: Mapping[str, np.ndarray] | None = None
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    rows: Mapping[str, np.ndarray] | None = None
    attributes: Mapping[str, np.ndarray] | None = None


# Rows of floats that are hashed at a time.
_ROWS = 4096


def content_hash(splits: Sequence[Tensor | np.ndarray]) -> str:
    """SHA-256 over shapes and bytes, in hexadecimal; floats are hashed as float64, whatever they are."""
    digest = hashlib.sha256()
    for split in splits:
        array = split.cpu().numpy() if isinstance(split, Tensor) else split
        digest.update(str(tuple(array.shape)).encode())
        if array.dtype.kind != "f":
            digest.update(np.ascontiguousarray(array).tobytes())
            continue
        for start in range(0, len(array), _ROWS):
            digest.update(np.ascontiguousarray(array[start : start + _ROWS], "<f8").tobytes())
    return digest.hexdigest()
