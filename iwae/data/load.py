"""Data sets by name: three splits, what an item is, labels and a hash.

The whole set is on the device, images as ``uint8``; ``iwae.data.pixels`` makes minibatches of it there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset, Labels, RawSplits, content_hash
from iwae.data.digits import read_digits
from iwae.data.location import data_root, npz_path
from iwae.data.npz import read_npz
from iwae.data.pixels import refuse_binary, refuse_gray
from iwae.data.torchvision_sets import read_torchvision
from iwae.errors import ConfigError, DataError


def load_dataset(
    config: DataConfig, *, root: Path | None = None, download: bool = False, moved: bool = False
) -> Dataset:
    """The data set that ``config`` names, split.

    Args:
        config: the set, its validation size and how many training images to use.
        root: the folder of the torchvision sets; None takes ``data_root()``.
        download: fetch a torchvision set that is not there, with progress on standard error.
        moved: where the file of ``npz`` is not there, take the one of this name in ``data_root()``; for
            callers that compare the content with what it was.

    Raises:
        DataError: the set is missing, malformed, or gray where ``binarization: none`` meets no Gaussian.
        ConfigError: the split that ``config`` asks for leaves no training image.
    """
    readers: dict[str, Callable[[], RawSplits]] = {
        "digits": read_digits,
        "npz": lambda: RawSplits(
            *read_npz(npz_path(config, moved=moved), shuffled=config.order == "shuffled")
        ),
    }
    if config.name in readers:
        raw = readers[config.name]()
    else:
        raw = read_torchvision(config.name, root or data_root(), download=download)
    places = _split(raw, config)
    for name, place in places.items():
        if name != "train" and place.number < 2:
            raise DataError(f"{config.name}: {name} has {place.number} images: must be >= 2 to have a spread")
    arrays = {split: place.of(raw) for split, place in places.items()}
    parts = {split: torch.from_numpy(array.reshape(len(array), -1).copy()) for split, array in arrays.items()}
    labels = None
    if raw.labels is not None:
        taken = {split: torch.from_numpy(place.of_labels(raw.labels)) for split, place in places.items()}
        labels = Labels(**taken, names=raw.label_names)
    classes = len(raw.label_names) if labels is not None else 0
    layout = Layout(arrays["train"].shape[1:], classes if classes > 1 else 0)
    return Dataset(
        parts["train"],
        parts["validation"],
        parts["test"],
        layout=layout,
        name=config.name,
        content_hash=content_hash(list(parts.values())),
        labels=labels,
    )


def suit(dataset: Dataset, config: TrainConfig) -> None:
    """Refuse data that the likelihood cannot be a density of, or that lack what the model is told.

    Raises:
        DataError: the pixels are gray and the likelihood Bernoulli, or binary and the likelihood Gaussian;
            the data are floats and the likelihood is one of pixels; or the model is conditional and the set
            has no labels.
    """
    if config.model.conditional and dataset.labels is None:
        raise DataError(f"model.name: {config.model.name} needs labels, and {dataset.name} has none")
    if not dataset.holds_bytes:
        if config.data.binarization != "none" or config.model.likelihood == "bernoulli":
            raise DataError(
                f"model.likelihood: {config.model.likelihood} with binarization {config.data.binarization} is"
                f" not allowed: must be gaussian with binarization none, {dataset.name} has floats, no pixels"
            )
        return
    if config.data.binarization != "none":
        return
    check = refuse_gray if config.model.likelihood == "bernoulli" else refuse_binary
    for split in (dataset.train, dataset.validation, dataset.test):
        check(split, dataset.name)


class _Place(NamedTuple):
    """Which items of a source's array are a split's."""

    source: str
    items: slice
    number: int

    def of(self, raw: RawSplits) -> np.ndarray:
        """The split's items."""
        array: np.ndarray = getattr(raw, self.source)[self.items]
        return array

    def of_labels(self, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """The split's labels, a copy."""
        return np.array(labels[self.source][self.items], dtype=np.int64)


def _split(raw: RawSplits, config: DataConfig) -> dict[str, _Place]:
    number, validation = len(raw.train), raw.validation
    if validation is not None and config.num_validation is not None:
        raise ConfigError(
            "data.num_validation",
            f"{config.num_validation} is not allowed: must be left out, the file has validation images",
        )
    if validation is None:
        held_out = config.num_validation or CATALOGUE[config.name].held_out(number)
        if held_out >= number:
            raise ConfigError(
                "data.num_validation",
                f"{held_out} is not allowed: must be < {number}, the training images of {config.name}",
            )
        number -= held_out
        held = _Place("train", slice(number, None), held_out)
    else:
        held = _Place("validation", slice(None), len(validation))
    if config.num_train is not None and config.num_train > number:
        raise ConfigError(
            "data.num_train",
            f"{config.num_train} is not allowed: must be <= {number}: {config.name} has no more",
        )
    number = config.num_train or number
    train, test = _Place("train", slice(number), number), _Place("test", slice(None), len(raw.test))
    return {"train": train, "validation": held, "test": test}
