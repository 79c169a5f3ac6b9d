"""NLL against K as a curve that levels off: a + b K^(−c), and what lies beyond the largest K.

For every exponent the curve is a line in K^(−c), so least squares have a closed form. The interval of what is
left beyond the largest K is that of the likelihood profiled over the exponent (Bates and Watts 1988, ch. 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tracking.statistics.intervals import CONFIDENCE

Floats = NDArray[np.float64]

FEWEST = 4  # points: three coefficients and one degree of freedom to see whether they fit
EXPONENTS: Floats = np.geomspace(0.02, 4.0, 4000)


@dataclass(frozen=True)
class Saturation:
    """The curve a + b K^(−c) through means over seeds.

    Attributes:
        limit: a, the NLL that it levels off at, nats.
        amplitude: b, nats, 0 or more.
        exponent: c.
        p_value: of the means' distances from the curve, against the spread between seeds (F-test); a small
            one says that the curve does not fit.
        beyond: what all K above the largest would gain, nats: b K^(−c) there.
        beyond_interval: its 95 % interval; no upper end where nothing shows that the curve levels off.
    """

    limit: float
    amplitude: float
    exponent: float
    p_value: float
    beyond: float
    beyond_interval: tuple[float, float | None]

    @property
    def fits(self) -> bool:
        """Whether the means lie no farther from the curve than seeds explain."""
        return self.p_value > 1 - CONFIDENCE

    def at(self, num_samples: Sequence[float]) -> Floats:
        """The curve at ``num_samples`` ``[N]``, nats ``[N]``."""
        return self.limit + self.amplitude * np.asarray(num_samples, dtype=np.float64) ** -self.exponent


def fit_saturation(
    num_samples: Sequence[float],
    means: Sequence[float],
    seeds: Sequence[int],
    variance: float,
    degrees: int,
) -> Saturation | None:
    """The curve through means over seeds; None with fewer than four K's, or without a spread.

    Args:
        num_samples: K of each configuration, ``[N]``, ascending.
        means: its mean NLL over seeds, nats, ``[N]``.
        seeds: how many, ``[N]``.
        variance: between seeds, pooled, nats².
        degrees: its degrees of freedom.
    """
    if len(num_samples) < FEWEST or variance <= 0:
        return None
    k, y, weights = (np.asarray(one, dtype=np.float64) for one in (num_samples, means, seeds))
    x = k[None, :] ** -EXPONENTS[:, None]
    x_mean, y_mean = np.average(x, axis=1, weights=weights), np.average(y, weights=weights)
    centred = x - x_mean[:, None]
    squares = (weights * centred**2).sum(axis=1)
    slopes = np.maximum(0.0, (weights * centred * (y - y_mean)).sum(axis=1) / squares)
    residual = (weights * (y - y_mean - slopes[:, None] * centred) ** 2).sum(axis=1)
    best = int(residual.argmin())
    free = len(k) - 3
    ratio = float(residual[best]) / free / variance
    return Saturation(
        float(y_mean - slopes[best] * x_mean[best]),
        float(slopes[best]),
        float(EXPONENTS[best]),
        float(special.fdtrc(free, degrees, ratio)),
        float(slopes[best] * x[best, -1]),
        _beyond(residual, squares, slopes, x[:, -1], variance * float(special.fdtri(1, degrees, CONFIDENCE))),
    )


def _beyond(
    residual: Floats, squares: Floats, slopes: Floats, last: Floats, allowance: float
) -> tuple[float, float | None]:
    """All values of b K^(−c) at the largest K whose best curve is no worse than ``allowance``."""
    slack = residual.min() + allowance - residual
    kept = slack >= 0
    half = np.sqrt(np.maximum(0.0, slack) / squares)
    low = float(np.min((np.maximum(0.0, slopes - half) * last)[kept]))
    high = float(np.max(((slopes + half) * last)[kept]))
    return low, None if kept[0] else high
