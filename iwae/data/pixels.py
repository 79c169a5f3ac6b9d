"""From bytes to what the likelihood sees: 0 or 1 under a Bernoulli model, [0, 1] under a Gaussian."""

import torch
from torch import Tensor

from iwae.config.data import Binarization
from iwae.errors import DataError
from iwae.randomness import generator

# One Bernoulli sample of the pixels for every trial, drawn on the CPU so that every device sees the same one.
SAMPLE_SEED = 2016


def bernoulli_bytes(images: Tensor, source: torch.Generator) -> Tensor:
    """Bool tensor like ``images``, true with probability byte / 255.

    Compares the byte with a whole number drawn from 0 … 254: byte 0 is never on and byte 255 always, and the
    others are exact up to the 2⁻³² of the generator's range reduction.
    """
    return torch.empty_like(images).random_(0, 255, generator=source) < images


def resident(images: Tensor, binarization: Binarization, split: str) -> Tensor:
    """Training bytes on the device: binarized once where that is what ``binarization`` says."""
    return images if binarization == "dynamic" else evaluation_pixels(images, binarization, split)


def evaluation_pixels(images: Tensor, binarization: Binarization, split: str) -> Tensor:
    """Bytes 0 or 255 (``none``: any) that stand for a split wherever it is evaluated.

    ``dynamic`` and ``fixed`` are one seeded Bernoulli sample of the pixels, not Larochelle's static files.
    """
    if binarization == "none":
        return images
    if binarization == "threshold":
        return (images >= 128).to(torch.uint8) * 255
    sample = bernoulli_bytes(images.cpu(), generator(SAMPLE_SEED, f"pixels/{split}"))
    return (sample.to(torch.uint8) * 255).to(images.device)


def minibatch(images: Tensor, binarization: Binarization, source: torch.Generator) -> Tensor:
    """float32 pixels of a minibatch of resident bytes, drawn afresh under ``dynamic``."""
    return bernoulli_bytes(images, source).float() if binarization == "dynamic" else intensities(images)


def intensities(values: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]; floats as they are.

    Raises:
        DataError: they are neither bytes nor float32.
    """
    if values.dtype == torch.float32:
        return values
    if values.dtype != torch.uint8:
        raise DataError(
            f"images are {values.dtype}: must be torch.uint8, 0 (background) to 255, or torch.float32"
        )
    return values.float().div_(255)


def refuse_gray(images: Tensor, name: str) -> None:
    """Raises DataError unless every byte is 0 or 255: a Bernoulli density of gray pixels is no likelihood."""
    gray = (images != 0) & (images != 255)
    if bool(gray.any()):
        raise DataError(
            "data.binarization: none is not allowed: must be dynamic, fixed or threshold,"
            f" {name} has gray pixels ({int(images[gray][0])} of 255) and a Bernoulli likelihood needs 0 or 1"
        )


def refuse_binary(images: Tensor, name: str, likelihood: str) -> None:
    """Raises DataError when every byte is 0 or 255: there a Gaussian density has no upper limit."""
    if not bool(((images != 0) & (images != 255)).any()):
        raise DataError(
            f"model.likelihood: {likelihood} is not allowed: must be bernoulli, {name} has binary pixels"
        )
