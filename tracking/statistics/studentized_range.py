"""Quantiles of the studentized range, in milliseconds.

scipy's take a fifth of a second each, and a report asks for dozens: one for every number of seeds that it
tries. The tests compare the two.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]

_WIDEST = 40.0  # a range of normals beyond it is less likely than 1e-100
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_LEAST_TAIL = -50.0  # logarithm


@cache
def quantile(count: int, degrees: int, alpha: float) -> float:
    """The value that the range of ``count`` means, in standard errors, exceeds with probability ``alpha``.

    The standard error is estimated with ``degrees`` degrees of freedom (Tukey 1953).
    """
    tail = _range_tail(count)
    # The tail's integral over the distribution of the estimate, in the logarithm of its probability u: with
    # few degrees of freedom the whole tail is at small u.
    log_u = _LEAST_TAIL / 2 * (1 - _NODES)
    u = np.exp(log_u)
    ratio = np.sqrt(2 * special.gammaincinv(degrees / 2, u) / degrees)
    weights = -_LEAST_TAIL / 2 * _WEIGHTS * u

    def excess(log_q: float) -> float:
        return float(weights @ tail(np.exp(log_q) * ratio)) - alpha

    return float(np.exp(optimize.brentq(excess, np.log(1e-3), np.log(1e9), xtol=1e-10)))


@cache
def _range_tail(count: int) -> Callable[[Floats], Floats]:
    """The chance that the range of ``count`` standard normals exceeds a value."""
    grid = np.linspace(0.0, _WIDEST, 1601)
    z = 9.0 * _NODES[:, None]
    # One of the normals is at z, the highest, and the others lie within the range below it.
    below = special.ndtr(z) - special.ndtr(z - grid)
    density = 9.0 * _WEIGHTS[:, None] * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    inside = count * (density * below ** (count - 1)).sum(axis=0)
    spline = CubicSpline(grid, 1 - inside)
    return lambda ranges: np.where(
        ranges < _WIDEST, np.clip(spline(np.minimum(ranges, _WIDEST)), 0.0, 1.0), 0.0
    )
