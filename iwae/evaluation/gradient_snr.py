"""Signal-to-noise ratio of the gradient estimator (Rainforth et al. 2018).

Of N draws, mean² / variance of one parameter is an F-distributed number with the expectation
(N−1)/(N−3) · (SNR² + 1/N), which is what is taken off. What is left may be negative, and is averaged over
parameters as it is: only of the average the root is taken, so that noise averages out.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iwae.evaluation.snr_floor import Contrasts, snr_floor
from iwae.objectives.objective import Surrogates, gradients


@dataclass(frozen=True)
class GradientSnr:
    """Root mean square of |E g| / sd(g) over the parameters of encoder and of decoder.

    Attributes:
        encoder: over the encoder's parameters; 0 where noise is stronger than any signal.
        decoder: over the decoder's parameters.
        encoder_floor: what ``encoder`` stays below in 95 % of cases when the true ratio is 0.
        decoder_floor: the same of ``decoder``.
    """

    encoder: float
    decoder: float
    encoder_floor: float
    decoder_floor: float


def gradient_snr(
    parameters: dict[str, list[nn.Parameter]], draws: Iterable[Callable[[], Surrogates]], num_draws: int
) -> GradientSnr:
    """The ratio over ``num_draws`` gradients.

    Args:
        parameters: of ``encoder`` and ``decoder``.
        draws: each call gives the surrogates, scalars, with fresh noise at the same minibatch.
        num_draws: N >= 4.
    """
    groups = {name: _Group(group) for name, group in parameters.items()}
    for draw in draws:
        drawn = gradients(draw(), parameters)
        for name, group in groups.items():
            group.add(drawn[name])
    encoder, decoder = groups["encoder"], groups["decoder"]
    return GradientSnr(encoder.snr(), decoder.snr(), encoder.floor(num_draws), decoder.floor(num_draws))


class _Group:
    """The gradients of the parameters of one part of the model."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.moments = [Moments(p) for p in parameters]
        self._contrasts = Contrasts(sum(p.numel() for p in parameters))

    def add(self, gradients: tuple[Tensor, ...]) -> None:
        """Takes one more draw of all the parameters' gradients."""
        for moment, gradient in zip(self.moments, gradients, strict=True):
            moment.add(gradient)
        self._contrasts.add(torch.cat([gradient.flatten() for gradient in gradients]))

    def snr(self) -> float:
        return root_mean_snr(self.moments)

    def floor(self, num_draws: int) -> float:
        deviations = torch.cat([moment.variance().flatten() for moment in self.moments]).sqrt()
        varied = int((deviations > 0).sum())
        return snr_floor(num_draws, self._contrasts.independent(deviations)) if varied else 0.0


class Moments:
    """Running mean and sum of squared deviations of tensors like ``example``, in float64 (Welford)."""

    def __init__(self, example: Tensor) -> None:
        self.count = 0
        self.mean = torch.zeros_like(example, dtype=torch.float64)
        self.squares = torch.zeros_like(self.mean)

    def add(self, value: Tensor) -> None:
        """Takes one more tensor."""
        self.count += 1
        deviation = value.double() - self.mean
        self.mean.add_(deviation, alpha=1 / self.count)
        self.squares.addcmul_(deviation, deviation, value=(self.count - 1) / self.count)

    def variance(self) -> Tensor:
        """Unbiased variance of every element."""
        return self.squares / (self.count - 1)

    def squared_snr(self) -> Tensor:
        """(N−3)/(N−1) · mean² / variance − 1/N of every element whose variance is not 0, flat.

        Unbiased for SNR² under normal noise, and negative where the mean is smaller than noise makes it.
        """
        varied = self.squares > 0
        squared = self.mean[varied].square() / self.variance()[varied]
        return squared * ((self.count - 3) / (self.count - 1)) - 1 / self.count


def root_mean_snr(moments: list[Moments]) -> float:
    """√ of the mean SNR² over all elements whose gradient varies; 0 where that mean is negative."""
    squared = torch.cat([moment.squared_snr() for moment in moments])
    return math.sqrt(max(0.0, float(squared.mean()))) if len(squared) else 0.0
