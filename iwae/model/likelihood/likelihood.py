"""What a model asks of its likelihood p(x|z)."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from iwae.config.model import OutputBias
from iwae.model.likelihood.statistics import PixelStatistics


class Likelihood(nn.Module, ABC):
    """Log-densities of pixels given the decoder's output, in nats; every pixel independent of the others.

    K is the number of importance samples, B of images and X of pixels. The decoder's output has n numbers a
    pixel, ``[..., n · X]``: the first of all pixels, then the second of all.

    Attributes:
        numbers: n.
    """

    numbers = 1

    @abstractmethod
    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) ``[K, B]`` of pixels ``[B, X]``, or ``[K, B, X]``, for the output ``[K, B, n · X]``."""

    def log_prob_of_layer(self, hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        """``log_prob`` of a linear last layer's output, W h + b.

        Args:
            hidden: h, ``[K, B, H]``.
            weight: W, ``[n · X, H]``.
            bias: b, ``[n · X]``.
            x: pixels, ``[B, X]``, or ``[K, B, X]``.
        """
        return self.log_prob(linear(hidden, weight, bias), x)

    @abstractmethod
    def mean(self, output: Tensor) -> Tensor:
        """E[x|z] for the output ``[..., n · X]``: ``[..., X]``."""

    @abstractmethod
    def quantile(self, output: Tensor, uniform: Tensor) -> Tensor:
        """The value of every pixel at a quantile of p(x|z), ``[..., X]``: a draw where that is a random one.

        Args:
            output: ``[..., n · X]``.
            uniform: the quantile, in (0, 1), ``[..., X]``.
        """

    @abstractmethod
    def output_of_mean(self, mean: Tensor) -> Tensor:
        """The first number of every pixel where p(x|z) has this mean, ``[X]``."""

    def metrics(self) -> dict[str, float]:
        """What is recorded of it after every epoch, by MLflow's name."""
        return {}

    @torch.no_grad()
    def start(self, bias: Tensor, output_bias: OutputBias, statistics: PixelStatistics | None) -> None:
        """Sets the likelihood's own parameters and the last layer's bias to where training starts.

        Args:
            bias: ``[n · X]``, as the layer's own initialization left it.
            output_bias: as in the configuration.
            statistics: of the training items; needed by ``train_mean`` and by what is learned of the spread.
        """
        if output_bias == "zero":
            bias.zero_()
        elif output_bias == "train_mean":
            assert statistics is not None, "train_mean needs the training pixels"
            bias[: len(bias) // self.numbers].copy_(self.output_of_mean(statistics.mean))
