"""Intervals over seeds: configurations are units, seeds replicates. ``comparisons`` has their differences."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from scipy import special

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its t-interval.

    Attributes:
        mean: arithmetic mean.
        low: lower end of the interval; None with one seed.
        high: upper end; None with one seed.
        count: seeds it is taken over.
    """

    mean: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Pooled:
    """A variance between seeds, pooled over configurations: Σ(n−1)s² / Σ(n−1).

    Attributes:
        variance: in the squared unit of the values.
        degrees: Σ(n−1), its degrees of freedom.
    """

    variance: float
    degrees: int


@cache
def t_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t."""
    return float(special.stdtrit(degrees, (1 + confidence) / 2))


def variance(values: Sequence[float]) -> float:
    """Unbiased sample variance of two values or more."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """Mean and t-interval; None without a value."""
    if not values:
        return None
    mean = fmean(values)
    if len(values) == 1:
        return Estimate(mean, None, None, 1)
    half = t_quantile(len(values) - 1, confidence) * math.sqrt(variance(values) / len(values))
    return Estimate(mean, mean - half, mean + half, len(values))


def positive_interval(
    values: Sequence[float], least: float = 0.0, most: float = math.inf, confidence: float = CONFIDENCE
) -> Estimate | None:
    """Mean and interval of a quantity that cannot be negative; None without a value.

    The t-interval of the logarithm of the mean, whose standard error is that of the mean over the mean (delta
    method): mean · exp(± t · SE / mean). It cannot reach below zero, and always holds the mean.

    Args:
        values: one per seed, none negative.
        least: the smallest value that the quantity can take; ends beyond it say nothing.
        most: the largest.
        confidence: of the interval.
    """
    found = t_interval(values, confidence)
    if found is None or found.high is None or found.mean <= 0:
        return found
    spread = math.exp(min(700.0, (found.high - found.mean) / found.mean))
    low, high = max(least, found.mean / spread), min(most, found.mean * spread)
    return Estimate(found.mean, min(low, found.mean), max(high, found.mean), found.count)


def pooled_variance(groups: Iterable[Sequence[float]]) -> Pooled | None:
    """The variance between seeds over all groups; None if no group has two."""
    replicated = [values for values in groups if len(values) > 1]
    degrees = sum(len(values) - 1 for values in replicated)
    if degrees == 0:
        return None
    return Pooled(sum((len(values) - 1) * variance(values) for values in replicated) / degrees, degrees)


def ratio_interval(
    top: float, bottom: float, top_half: float, bottom_half: float
) -> tuple[float, float] | None:
    """Fieller's interval of a ratio of two independent estimates (Fieller 1954).

    All ratios r for which ``top`` − r ``bottom`` is not separable from zero, its interval being as wide as
    the root of the sum of squares of ``top_half`` and r ``bottom_half``.

    Args:
        top: estimate of the numerator.
        bottom: estimate of the denominator.
        top_half: half the width of the numerator's interval.
        bottom_half: half the width of the denominator's.

    Returns:
        The ends, or None where the denominator's own interval holds zero and the ratio's is unbounded.
    """
    a = bottom**2 - bottom_half**2
    if a <= 0:
        return None
    b, c = top * bottom, top**2 - top_half**2
    root = math.sqrt(max(0.0, b**2 - a * c))
    return (b - root) / a, (b + root) / a
