"""Data sets as bytes: three splits, their shape and their hash.

The whole set is on the device as ``uint8``; ``iwae.data.pixels`` makes minibatches of it there.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset, RawSplits, content_hash
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
        raw = RawSplits(*read_torchvision(config.name, root or data_root(), download=download))
    train, validation, test = _split(raw, config)
    for name, images in (("train", train), ("validation", validation), ("test", test)):
        if name != "train" and len(images) < 2:
            raise DataError(f"{config.name}: {name} has {len(images)} images: must be >= 2 to have a spread")
    height, width = train.shape[1:]
    parts = [torch.from_numpy(part.reshape(len(part), -1).copy()) for part in (train, validation, test)]
    return Dataset(parts[0], parts[1], parts[2], (height, width), config.name, content_hash(parts))


def suit(dataset: Dataset, config: TrainConfig) -> None:
    """Refuse data that the likelihood cannot be a density of.

    Raises:
        DataError: the pixels are gray and the likelihood Bernoulli, or binary and the likelihood Gaussian.
    """
    if config.data.binarization != "none":
        return
    check = refuse_gray if config.model.likelihood == "bernoulli" else refuse_binary
    for split in (dataset.train, dataset.validation, dataset.test):
        check(split, dataset.name)


def _split(raw: RawSplits, config: DataConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train, validation = raw.train, raw.validation
    if validation is not None and config.num_validation is not None:
        raise ConfigError(
            "data.num_validation",
            f"{config.num_validation} is not allowed: must be left out, the file has validation images",
        )
    if validation is None:
        held_out = config.num_validation or CATALOGUE[config.name].held_out(len(train))
        if held_out >= len(train):
            raise ConfigError(
                "data.num_validation",
                f"{held_out} is not allowed: must be < {len(train)}, the training images of {config.name}",
            )
        train, validation = train[: len(train) - held_out], train[len(train) - held_out :]
    if config.num_train is not None and config.num_train > len(train):
        raise ConfigError(
            "data.num_train",
            f"{config.num_train} is not allowed: must be <= {len(train)}: {config.name} has no more",
        )
    return train[: config.num_train], validation, raw.test
