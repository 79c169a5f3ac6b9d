"""What a gradient signal-to-noise ratio shows when there is no signal.

The mean of SNR² over P parameters spreads around 0 as that of a scaled χ² with P²/tr(R²) degrees of freedom,
where R is the correlation of the parameters' gradients (Satterthwaite 1946; Box 1954). All parameters see the
same noise, so that is far fewer than P.
"""

import math

import torch
from torch import Tensor

from iwae.randomness import generator

# Share of numbers without a signal that are below the floor.
CONFIDENCE = 0.95
# Parameters whose correlations are looked at, and pairs of draws that say what they are.
MAX_PARAMETERS = 2048
MAX_PAIRS = 256
# With fewer pairs the correlations are not known, and all parameters count as one.
MIN_PAIRS = 5


class Contrasts:
    """Differences of pairs of draws, of a random part of the parameters: noise without the signal.

    Args:
        num_parameters: P of the group.
    """

    def __init__(self, num_parameters: int) -> None:
        source = generator(0, "snr floor")
        order = torch.randperm(num_parameters, generator=source)
        self._part = order[:MAX_PARAMETERS]
        self._first: Tensor | None = None
        self._differences: list[Tensor] = []

    def add(self, gradient: Tensor) -> None:
        """Takes the gradient ``[P]`` of the next draw."""
        if len(self._differences) >= MAX_PAIRS:
            return
        part = gradient[self._part.to(gradient.device)].double()
        if self._first is None:
            self._first = part
        else:
            self._differences.append((self._first - part) / math.sqrt(2))
            self._first = None

    def independent(self, deviations: Tensor) -> float:
        """P²/tr(R²): as how many independent parameters the group counts; 1 when that is not known.

        Two pairs of draws have independent differences c, d with covariance R, so E (c·d)² = tr(R²).

        Args:
            deviations: standard deviations ``[P]`` of all gradients; a parameter at 0 does not count.
        """
        pairs, total = len(self._differences), int((deviations > 0).sum())
        scale = deviations[self._part.to(deviations.device)]
        varied = scale > 0
        size = int(varied.sum())
        if pairs < MIN_PAIRS or size < 2:
            return 1.0
        contrasts = torch.stack(self._differences)[:, varied] / scale[varied]
        products = contrasts @ contrasts.T
        squares = products.square().sum() - products.diagonal().square().sum()
        trace = float(squares) / (pairs * (pairs - 1))
        # Mean squared correlation of two different parameters, of the part and so of all.
        correlation = min(1.0, max(0.0, (trace / size - 1) / (size - 1)))
        return 1 / (1 / total + (1 - 1 / total) * correlation)


def snr_floor(num_draws: int, independent: float) -> float:
    """The ratio that stays above what is shown in 95 % of cases when the true one is 0.

    Args:
        num_draws: N >= 4.
        independent: as how many independent parameters the averaged ones count.
    """
    from scipy import special

    degrees = num_draws - 1
    # Of one parameter mean² / variance is a squared t; no average of several is above its quantile as often.
    largest = float(special.fdtri(1, degrees, CONFIDENCE)) * (degrees - 2) / degrees
    if degrees > 4:
        # A squared t has a larger variance than a χ², by this factor.
        effective = independent * (degrees - 4) / (degrees - 1)
        largest = min(largest, float(special.chdtri(effective, 1 - CONFIDENCE)) / effective)
    return math.sqrt(max(0.0, largest - 1) / num_draws)
