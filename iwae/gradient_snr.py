"""Signal-to-noise ratio of the gradient estimator (Rainforth et al. 2018)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class GradientSnr:
    """|E g| / sd(g), mean over the parameters of encoder and of decoder, with the noise floor taken off.

    Attributes:
        encoder: mean over the encoder's parameters.
        decoder: mean over the decoder's parameters.
        floor: what the uncorrected estimate shows with as many draws when the true ratio is 0.
    """

    encoder: float
    decoder: float
    floor: float


def gradient_snr(
    parameters: dict[str, list[nn.Parameter]], draws: Iterable[Callable[[], Tensor]], num_draws: int
) -> GradientSnr:
    """The ratio over ``num_draws`` gradients.

    Args:
        parameters: of ``encoder`` and ``decoder``.
        draws: each call gives the objective, a scalar, with fresh noise at the same minibatch.
        num_draws: N >= 3.
    """
    moments = {name: [Moments(p) for p in group] for name, group in parameters.items()}
    everything = [p for group in parameters.values() for p in group]
    for draw in draws:
        gradients = iter(torch.autograd.grad(draw(), everything))
        for group in moments.values():
            for moment in group:
                moment.add(next(gradients))
    ratios = {name: mean_snr(group) for name, group in moments.items()}
    return GradientSnr(ratios["encoder"], ratios["decoder"], snr_floor(num_draws))


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

    def snr(self) -> Tensor:
        """√max(0, mean² / variance − 1/N) of every element whose variance is not 0, flat.

        With N draws mean² is too large by variance / N in expectation, which is what is subtracted.
        """
        varied = self.squares > 0
        squared = self.mean[varied].square() / (self.squares[varied] / (self.count - 1))
        return (squared - 1 / self.count).clamp_min(0).sqrt()


def mean_snr(moments: list[Moments]) -> float:
    """Mean over all elements with a gradient that is not constant; 0 when there is none."""
    ratios = torch.cat([moment.snr() for moment in moments])
    return float(ratios.mean()) if len(ratios) else 0.0


def snr_floor(num_draws: int) -> float:
    """E|t_{N−1}| / √N: the expected |mean| / sd of N draws around 0."""
    nu = num_draws - 1
    log_gammas = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)
    expected = 2 * math.sqrt(nu) * math.exp(log_gammas) / (math.sqrt(math.pi) * (nu - 1))
    return expected / math.sqrt(num_draws)
