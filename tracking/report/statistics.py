"""Intervals over seeds and comparisons of configurations: configurations are units, seeds replicates."""

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


@dataclass(frozen=True)
class Difference:
    """Mean of the second minus mean of the first, one of several that are looked at together.

    Attributes:
        value: the difference.
        low: lower end of its own 95 % interval; None where nothing was replicated.
        high: upper end.
        p: two-sided p-value of no difference, on its own.
        holm_p: the p-value after Holm's correction over the family.
        holm_low: lower end of the interval at the level to which Holm's procedure holds this difference.
        holm_high: upper end.
        holm_confidence: that level, between .95 and 1 − .05 / (size of the family).
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    holm_p: float | None = None
    holm_low: float | None = None
    holm_high: float | None = None
    holm_confidence: float | None = None

    @property
    def separable(self) -> bool | None:
        """Whether the corrected interval leaves out zero; None where there is no interval."""
        return None if self.holm_p is None else self.holm_p < 1 - CONFIDENCE


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


def pooled_variance(groups: Iterable[Sequence[float]]) -> Pooled | None:
    """The variance between seeds over all groups; None if no group has two."""
    replicated = [values for values in groups if len(values) > 1]
    degrees = sum(len(values) - 1 for values in replicated)
    if degrees == 0:
        return None
    return Pooled(sum((len(values) - 1) * variance(values) for values in replicated) / degrees, degrees)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values after Holm's step-down correction, in the given order (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def holm_confidences(p_values: Sequence[float], confidence: float = CONFIDENCE) -> list[float]:
    """The confidence to which Holm's procedure holds each difference, in the given order.

    The smallest p-value is held to 1 − α/m, the next to 1 − α/(m−1) and so on; after the first that is not
    rejected the level stays. So an interval at this level leaves out zero exactly where Holm rejects.
    """
    levels = [confidence] * len(p_values)
    alpha, rejecting, size = 1 - confidence, True, len(p_values)
    for rank, index in enumerate(sorted(range(size), key=p_values.__getitem__)):
        if rejecting:
            level = alpha / (size - rank)
            rejecting = p_values[index] < level
        levels[index] = 1 - level
    return levels


def differences(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], pooled: Pooled | None
) -> list[Difference]:
    """Second mean minus first mean of every pair, corrected over all of them.

    Args:
        pairs: the seeds' values of the two configurations of each comparison; none empty.
        pooled: the variance between seeds; None says that nothing was replicated.
    """
    values = [fmean(second) - fmean(first) for first, second in pairs]
    if pooled is None:
        return [Difference(value) for value in values]
    errors = [math.sqrt(pooled.variance * (1 / len(first) + 1 / len(second))) for first, second in pairs]
    p_values = [
        _p_value(value, error, pooled.degrees, scale=max(map(abs, (*first, *second))))
        for value, error, (first, second) in zip(values, errors, pairs, strict=True)
    ]
    half, rows = t_quantile(pooled.degrees), []
    levels = holm_confidences(p_values)
    for value, error, p, adjusted, level in zip(
        values, errors, p_values, holm(p_values), levels, strict=True
    ):
        wide = t_quantile(pooled.degrees, level)
        rows.append(
            Difference(
                value, value - half * error, value + half * error, p,
                adjusted, value - wide * error, value + wide * error, level,
            )
        )  # fmt: skip
    return rows


def _p_value(value: float, error: float, degrees: int, scale: float) -> float:
    rounding = 1e-12 * scale  # below it, means of equal values differ by rounding only
    if error <= rounding:
        return 1.0 if abs(value) <= rounding else 0.0
    return float(2 * special.stdtr(degrees, -abs(value) / error))


def ratio_interval(
    top: float,
    bottom: float,
    top_variance: float,
    bottom_variance: float,
    covariance: float,
    quantile: float,
) -> tuple[float, float] | None:
    """Fieller's interval of a ratio of two means (Fieller 1954).

    Args:
        top: estimate of the numerator.
        bottom: estimate of the denominator.
        top_variance: squared standard error of the numerator.
        bottom_variance: squared standard error of the denominator.
        covariance: of the two estimates.
        quantile: t-quantile of the wanted confidence.

    Returns:
        The ends, or None where the denominator's own interval holds zero and the ratio's is unbounded.
    """
    square = quantile**2
    a = bottom**2 - square * bottom_variance
    if a <= 0:
        return None
    b = top * bottom - square * covariance
    c = top**2 - square * top_variance
    root = math.sqrt(max(0.0, b**2 - a * c))
    return (b - root) / a, (b + root) / a
