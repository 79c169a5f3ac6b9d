"""Differences of configurations, several at once: which of them seeds can tell apart.

The family is one: all pairs of the configurations that are compared. So a pair has the same interval wherever
it stands, and a best, a step in K and a recommended K, all chosen for their values, need no correction of
their own. An interval of a difference is the wider of two, and *separable* means that it excludes zero.

- From the two configurations' own spreads, each with the t-quantile of its own seeds (Banerjee 1961). It
  holds whatever their spreads are. Satterthwaite's degrees of freedom do not with two or three seeds: at a
  ratio of ten they err in 6.1 % of cases instead of 5 %.
- From a pooled spread, by the studentized range (Tukey 1953, Kramer 1956).

Neither suffices alone. Two seeds cannot show that a spread is ten times that of the others: it looks like
theirs in one case of ten, so pooling, even after a test, calls one unsteady configuration separable far too
often. Own spreads corrected over all pairs of 12 configurations are valid and useless: half an interval is
700 standard deviations at two seeds and 27 at three. The wider of the two is 18 and 4.3. Steady
configurations are held to the family's level by the pooled interval. A configuration with a spread of its own
has the first interval; all comparisons with it err together, so it is corrected for the number of
configurations whose spread stands out and not for the number of pairs.
``tests/benchmarks/simulations/coverage.py`` has the simulations.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from scipy import special

from tracking.statistics import studentized_range
from tracking.statistics.intervals import CONFIDENCE, t_quantile, variance

# How the two intervals share the error rate; the own one, which seldom errs where spreads agree, has more.
OWN_SHARE, POOLED_SHARE = 0.6, 0.4
CLEARLY_WIDER = 0.001  # level at which a spread is left out of the pooled one, so rarely that it is unbiased
WIDER = 0.05  # level at which a spread stands out and the own intervals are corrected for it

Values = Sequence[float]


@dataclass(frozen=True)
class Difference:
    """Mean of the second minus mean of the first, one of the family of all pairs.

    Attributes:
        value: the difference.
        low: lower end of its interval; all intervals of a family hold simultaneously in 95 % of sweeps.
            None where one of the two has a single seed or diverged.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.high is None else self.high - self.value

    @property
    def separable(self) -> bool | None:
        """Whether the interval excludes zero; None where there is no interval."""
        return None if self.low is None or self.high is None else self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Spread:
    """A variance between seeds, pooled over the configurations whose spreads agree.

    Attributes:
        variance: in the squared unit of the values.
        degrees: its degrees of freedom.
        unsteady: configurations whose spread stands out, at least 1: one that does cannot always be seen.
    """

    variance: float
    degrees: int
    unsteady: int


def common_spread(groups: Sequence[Values]) -> Spread | None:
    """The spread of the configurations with two seeds or more; None if there is none."""
    found = sorted((variance(values), len(values) - 1) for values in groups if len(values) > 1)
    if not found:
        return None
    kept = list(found)
    while len(kept) > max(2, len(found) / 2):
        rest = kept[:-1]
        if _tail(kept[-1], _pooled(rest), _degrees(rest)) >= CLEARLY_WIDER / len(kept):
            break
        kept = rest
    typical = median(square * degrees / float(special.chdtri(degrees, 0.5)) for square, degrees in found)
    free = max(1, _degrees(found) // 2)
    wider = sum(_tail(one, typical, free) < WIDER for one in found)
    return Spread(_pooled(kept), _degrees(kept), min(max(1, wider), max(1, len(found) - 1)))


def stands_out(values: Values, spread: Spread) -> bool:
    """Whether the spread of two seeds or more is wider than the common one."""
    return _tail((variance(values), len(values) - 1), spread.variance, spread.degrees) < WIDER


@dataclass(frozen=True)
class Critical:
    """How wide the intervals of a family are.

    Attributes:
        own: confidence of an interval from two configurations' own spreads.
        pooled: by what the pooled standard deviation times the root of the sum of 1 / n is multiplied.
    """

    own: float
    pooled: float

    @classmethod
    def of(
        cls, count: int, degrees: int, unsteady: int = 1, looks: int = 1, size: int | None = None
    ) -> "Critical":
        """Of ``count`` configurations whose pooled spread has ``degrees`` degrees of freedom.

        The family is that of all pairs, or of ``size`` pairs fixed before the data (Bonferroni).
        """
        alpha = (1 - CONFIDENCE) / looks
        if count == 2:
            return cls(1 - alpha, 0.0)
        if size is None:
            pooled = studentized_range.quantile(count, degrees, alpha * POOLED_SHARE) / math.sqrt(2)
        else:
            pooled = t_quantile(degrees, 1 - alpha * POOLED_SHARE / size)
        return cls(1 - alpha * OWN_SHARE / unsteady, pooled)


def compare(
    groups: Sequence[Values],
    pairs: Sequence[tuple[int, int]],
    *,
    apart: Collection[int] = (),
    looks: int = 1,
    size: int | None = None,
) -> list[Difference]:
    """Second mean minus first mean of some pairs, as part of the family of all pairs.

    Args:
        groups: the seeds' values of every configuration; those of a pair are not empty.
        pairs: positions of the two configurations of each comparison.
        apart: positions of configurations that diverged: no interval, and no part in the common spread.
        looks: how often the sweep has been looked at and given more seeds, this time included; the error
            rate of each look is divided by it.
        size: how many pairs, fixed before the data, share the error rate (`tracking.statistics.step_down`);
            None for all pairs of ``groups``, whatever is asked for and why.
    """
    values = [fmean(groups[second]) - fmean(groups[first]) for first, second in pairs]
    usable = {index for index, group in enumerate(groups) if len(group) > 1 and index not in apart}
    spread = common_spread([groups[index] for index in sorted(usable)])
    if spread is None or len(usable) < 2:
        return [Difference(value) for value in values]
    critical = Critical.of(len(usable), spread.degrees, spread.unsteady, looks, size)
    pooled = critical.pooled * math.sqrt(spread.variance)
    found = []
    for value, pair in zip(values, pairs, strict=True):
        if not usable.issuperset(pair):
            found.append(Difference(value))
            continue
        both = [groups[index] for index in pair]
        half = max(_own_half(both, critical.own), pooled * math.sqrt(sum(1 / len(one) for one in both)))
        half = max(half, 1e-12 * max(abs(one) for group in both for one in group))  # rounding
        found.append(Difference(value, value - half, value + half))
    return found


def _own_half(both: Sequence[Values], confidence: float) -> float:
    return math.sqrt(sum(t_quantile(len(g) - 1, confidence) ** 2 * variance(g) / len(g) for g in both))


def _pooled(found: Sequence[tuple[float, int]]) -> float:
    return sum(square * degrees for square, degrees in found) / _degrees(found)


def _degrees(found: Sequence[tuple[float, int]]) -> int:
    return sum(degrees for _, degrees in found)


def _tail(one: tuple[float, int], against: float, degrees: int) -> float:
    """P-value of a variance being no larger than another, by F."""
    square, own = one
    if square == 0:
        return 1.0
    return float(special.fdtrc(own, degrees, square / against)) if against > 0 else 0.0
