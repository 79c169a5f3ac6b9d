"""Real values around the decoder's output, with one standard deviation for all pixels or one for each."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iwae.config.model import OutputBias
from iwae.model.likelihood.likelihood import Likelihood
from iwae.model.likelihood.statistics import PixelStatistics

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
# A byte is known to 1/255: a smaller σ that is learned would describe the rounding, and the density would
# grow without end. One that is fixed is used as it is.
MIN_LEARNED_LOG_STD = -7.0
# What is learned starts at the data's spread, or here where there is next to none.
MIN_START_STD = 1e-2


def gaussian_log_likelihood(mean: Tensor, x: Tensor, log_std: Tensor) -> Tensor:
    """Σ_i log N(x_i; mean_i, exp(log_std_i)²), the full density.

    Args:
        mean: ``[K, B, X]``.
        x: ``[B, X]``, or ``[K, B, X]``.
        log_std: a scalar, or ``[X]``.

    Returns:
        ``[K, B]``.
    """
    squared = ((x - mean) * torch.exp(-log_std)).square().sum(-1)
    if log_std.dim() == 0:
        return -0.5 * squared - x.shape[-1] * (log_std + HALF_LOG_TWO_PI)
    return -0.5 * squared - (log_std + HALF_LOG_TWO_PI).sum()


class Gaussian(Likelihood):
    """The decoder's output is the mean.

    Args:
        num_pixels: X.
        std: a number, or X of them: used as they are. ``learned`` is one parameter that all pixels share,
            ``learned-per-feature`` one for each; both are kept above 9.1e-4.
    """

    def __init__(self, num_pixels: int, std: float | Sequence[float] | str) -> None:
        super().__init__()
        self.learned = isinstance(std, str)
        if isinstance(std, str):
            shape = () if std == "learned" else (num_pixels,)
            self.log_std = nn.Parameter(torch.zeros(shape))
        else:
            numbers = float(std) if isinstance(std, (int, float)) else [float(each) for each in std]
            self.register_buffer("log_std", torch.tensor(numbers).log())

    def used_log_std(self) -> Tensor:
        """Log σ of the density, a scalar or ``[X]``."""
        return self.log_std.clamp_min(MIN_LEARNED_LOG_STD) if self.learned else self.log_std

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """See ``gaussian_log_likelihood``."""
        return gaussian_log_likelihood(output, x, self.used_log_std())

    def mean(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output

    @torch.no_grad()
    def quantile(self, output: Tensor, uniform: Tensor) -> Tensor:
        """Of the normal; at 0 and at 1 that of the nearest number inside."""
        end = torch.finfo(uniform.dtype).eps
        normal: Tensor = torch.special.ndtri(uniform.clamp(end, 1 - end))
        return output + self.used_log_std().exp() * normal

    def output_of_mean(self, mean: Tensor) -> Tensor:
        """The mean itself."""
        return mean

    def metrics(self) -> dict[str, float]:
        """``model/observation_std``: σ, or the mean of the pixels' σ, in the units that the model sees."""
        return {"model/observation_std": float(self.used_log_std().detach().exp().mean())}

    @torch.no_grad()
    def start(self, bias: Tensor, output_bias: OutputBias, statistics: PixelStatistics | None) -> None:
        """A learned σ starts at the spread of the training pixels around their means."""
        super().start(bias, output_bias, statistics)
        if not self.learned or statistics is None:
            return
        if self.log_std.dim() == 0:
            self.log_std.fill_(math.log(max(statistics.std, MIN_START_STD)))
        else:
            self.log_std.copy_(statistics.variance.sqrt().clamp_min(MIN_START_STD).log())
