"""Data sets as bytes: three splits, their shape and their hash.

The whole set lies on the device as ``uint8``; ``iwae.binarization`` makes minibatches of it there.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.binarization import refuse_binary, refuse_gray
from iwae.config import DataConfig, TrainConfig
from iwae.errors import ConfigError, DataError
from iwae.generators import permutation
from iwae.npz import read_npz
from iwae.torchvision_sets import read_torchvision
from iwae.units import DARKEST_WHITE

DIGITS_TEST = 360
DEFAULT_NUM_VALIDATION = {"digits": 300, "mnist": 10_000, "fashion-mnist": 10_000}


@dataclass(frozen=True)
class Dataset:
    """Three splits of images as bytes, 0 (background) to 255.

    Attributes:
        train: uint8 ``[N, X]``, X pixels row by row.
        validation: uint8 ``[N, X]``, held out of the training images.
        test: uint8 ``[N, X]``.
        image_shape: (height, width), with height · width = X.
        name: as in ``DataConfig``.
        content_hash: SHA-256 over the shapes and bytes of the three splits, in hexadecimal.

    Raises:
        DataError: a split is no uint8 tensor ``[N, X]``, X is not height · width, or its brightest byte is
            so dark that it was most likely written in another unit.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    image_shape: tuple[int, int]
    name: str
    content_hash: str

    def __post_init__(self) -> None:
        height, width = self.image_shape
        for split in ("train", "validation", "test"):
            images = getattr(self, split)
            if images.dtype != torch.uint8:
                raise DataError(
                    f"{self.name}: {split} is {images.dtype}: must be torch.uint8, 0 (background) to 255"
                )
            if images.ndim != 2 or images.shape[1] != height * width or len(images) == 0:
                raise DataError(
                    f"{self.name}: {split} has the shape {tuple(images.shape)}: must be [N, {height * width}]"
                    f" for images of {height} × {width}"
                )
            if 0 < (largest := int(images.max())) <= DARKEST_WHITE:
                raise DataError(
                    f"{self.name}: {split} goes up to {largest}: must be 0 (background) to 255, in which"
                    f" {largest} is dark: multiply by 255 / {largest}"
                )

    @cached_property
    def measured_hash(self) -> str:
        """SHA-256 of what likelihoods are measured on: the validation and the test images."""
        return content_hash([self.validation, self.test])

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
        """X, the pixels of an image."""
        return self.train.shape[1]

    def to(self, device: torch.device | str) -> "Dataset":
        """The same set with its bytes on ``device``."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )


class RawSplits(NamedTuple):
    """Images as a set's source gives them: uint8 ``[N, H, W]``; validation may be missing."""

    train: np.ndarray
    validation: np.ndarray | None
    test: np.ndarray


def data_root() -> Path:
    """The folder of the data sets: ``IWAE_DATA_DIR``, else ``~/.cache/iwae``."""
    return Path(os.environ.get("IWAE_DATA_DIR") or "~/.cache/iwae").expanduser()


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
        "digits": _digits,
        "npz": lambda: RawSplits(*read_npz(_npz_path(config, moved), shuffled=config.order == "shuffled")),
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


def _npz_path(config: DataConfig, moved: bool) -> Path:
    path = Path(config.path or "").expanduser()
    elsewhere = data_root() / path.name
    return elsewhere if moved and not path.is_file() and elsewhere.is_file() else path


def content_hash(splits: list[Tensor]) -> str:
    """SHA-256 over shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(str(tuple(split.shape)).encode())
        digest.update(np.ascontiguousarray(split.cpu().numpy()).tobytes())
    return digest.hexdigest()


def _split(raw: RawSplits, config: DataConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train, validation = raw.train, raw.validation
    if validation is not None and config.num_validation is not None:
        raise ConfigError(
            "data.num_validation",
            f"{config.num_validation} is not allowed: must be left out, the file has validation images",
        )
    if validation is None:
        held_out = config.num_validation or DEFAULT_NUM_VALIDATION.get(config.name, len(train) // 6)
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


def _digits() -> RawSplits:
    """The 1,797 handwritten digits of scikit-learn, 8×8, mixed by a fixed permutation; the last 360 are test.

    Intensities 0 … 16 become round(255 · i / 16), so a pixel is on with probability i / 16 up to 1/510.
    """
    from sklearn.datasets import load_digits

    intensities = load_digits().images
    images = np.rint(intensities * (255 / 16)).astype(np.uint8)
    # They lie in the order in which they were collected.
    mixed = images[permutation(len(images), "digits")]
    return RawSplits(mixed[:-DIGITS_TEST], None, mixed[-DIGITS_TEST:])
