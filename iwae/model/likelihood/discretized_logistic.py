"""Bytes as a logistic distribution cut into 256 bins (Salimans et al. 2017, PixelCNN++, eq. 2)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from iwae.config.model import OutputBias
from iwae.model.likelihood.likelihood import Likelihood
from iwae.model.likelihood.statistics import PixelStatistics

# Between neighbouring bytes, in the units of intensities in [0, 1].
BIN = 1 / 255
# As in PixelCNN++: narrower ones say no more about a byte, and their gradients are wild.
MIN_LOG_SCALE = -7.0
# A logistic of scale s has the standard deviation π s / √3.
SCALE_OF_STD = math.sqrt(3) / math.pi
MIN_START_STD = 1e-2


def discretized_logistic_log_likelihood(location: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
    """Σ_i log P(x_i), the probability of the byte's bin; that of 0 and of 255 has no end on the outer side.

    With a and b, a > b, the bin's edges in units of the scale, σ(a) − σ(b) is σ(a) σ(−b) (1 − e^(b − a)):
    three factors of which no logarithm loses digits, however far from the bin the location is.

    Args:
        location: ``[K, B, X]``, in the units of x.
        x: byte / 255, ``[B, X]``.
        log_scale: log s, a scalar or ``[K, B, X]``.

    Returns:
        ``[K, B]``, in nats.
    """
    to_scale = torch.exp(-log_scale)
    centre, width = (x - location) * to_scale, BIN * to_scale  # b − a is −width
    above, below = x > 0.5 * BIN, x < 1 - 0.5 * BIN  # whether the bin ends below, and above
    log_p = torch.where(below, logsigmoid(centre + 0.5 * width), 0.0)
    log_p = log_p + torch.where(above, logsigmoid(0.5 * width - centre), 0.0)
    return (log_p + torch.where(above & below, torch.log(-torch.expm1(-width)), 0.0)).sum(-1)


class DiscretizedLogistic(Likelihood):
    """The decoder's output is the location of every pixel, and where it is ``predicted`` its log-scale.

    Args:
        scale: ``learned``, one parameter that all pixels share, or ``predicted`` by the decoder.
    """

    def __init__(self, scale: str) -> None:
        super().__init__()
        self.predicted = scale == "predicted"
        self.numbers = 2 if self.predicted else 1
        if not self.predicted:
            self.log_scale = nn.Parameter(torch.zeros(()))

    def _location_and_log_scale(self, output: Tensor) -> tuple[Tensor, Tensor]:
        location, log_scale = output.chunk(2, -1) if self.predicted else (output, self.log_scale)
        return location, log_scale.clamp_min(MIN_LOG_SCALE)

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """See ``discretized_logistic_log_likelihood``."""
        location, log_scale = self._location_and_log_scale(output)
        return discretized_logistic_log_likelihood(location, x, log_scale)

    def mean(self, output: Tensor) -> Tensor:
        """Of the logistic with what lies outside [0, 1] moved to its ends: ∫₀¹ P(x > y) dy.

        The byte's mean is the sum at the 255 edges, of which this is the limit; they differ by less than half
        a byte.
        """
        location, log_scale = self._location_and_log_scale(output)
        scale = log_scale.exp()
        return scale * (softplus(location / scale) - softplus((location - 1) / scale))

    @torch.no_grad()
    def quantile(self, output: Tensor, uniform: Tensor) -> Tensor:
        """Byte / 255, the byte nearest to the logistic's quantile."""
        location, log_scale = self._location_and_log_scale(output)
        value = location + log_scale.exp() * torch.logit(uniform, eps=1e-6)
        return torch.round(value.clamp(0, 1) / BIN) * BIN

    def output_of_mean(self, mean: Tensor) -> Tensor:
        """The location that is the mean, as it is where the scale is small."""
        return mean

    @torch.no_grad()
    def start(self, bias: Tensor, output_bias: OutputBias, statistics: PixelStatistics | None) -> None:
        """The scale starts at the spread of the training pixels around their means."""
        super().start(bias, output_bias, statistics)
        if statistics is None:
            return
        log_scale = math.log(SCALE_OF_STD * max(statistics.std, MIN_START_STD))
        if self.predicted:
            bias[len(bias) // 2 :].fill_(log_scale)
        else:
            self.log_scale.fill_(log_scale)
