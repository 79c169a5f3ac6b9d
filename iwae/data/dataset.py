"""A data set as bytes: three splits, their shape and their hash."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.data.units import DARKEST_WHITE
from iwae.errors import DataError


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


def content_hash(splits: list[Tensor]) -> str:
    """SHA-256 over shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(str(tuple(split.shape)).encode())
        digest.update(np.ascontiguousarray(split.cpu().numpy()).tobytes())
    return digest.hexdigest()
