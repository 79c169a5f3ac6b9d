"""Mean and spread of the training pixels, which likelihoods and output biases start from."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class PixelStatistics(NamedTuple):
    """Of the training items, as the model sees them.

    Attributes:
        mean: of every pixel, float64 ``[X]``.
        variance: of every pixel around its mean, float64 ``[X]``.
    """

    mean: Tensor
    variance: Tensor

    @property
    def std(self) -> float:
        """Root mean squared deviation of a pixel from its own mean."""
        return math.sqrt(float(self.variance.mean()))


def pixel_statistics(pixels: Tensor) -> PixelStatistics:
    """Of the training items ``[N, X]``: floats of any range, or bytes that stand for byte / 255."""
    if pixels.dtype != torch.uint8:
        # A square of values far from zero has no digits left for their spread in float32.
        numbers = pixels.to("cpu", torch.float64)
        return PixelStatistics(numbers.mean(0), numbers.var(0, correction=0))
    values = pixels.to("cpu", torch.float32) / 255
    mean = values.mean(0, dtype=torch.float64)
    variance = values.square().mean(0, dtype=torch.float64) - mean.square()
    return PixelStatistics(mean, variance.clamp_min(0))
