"""What seeds can show: the power of the test in ``comparisons``, at the spreads that were measured.

The test's interval is random as well as the difference, so power is an expectation over the spreads that
seeds would have: exact in the difference, from fixed draws in the spreads.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from tracking.statistics.comparisons import Critical, Spread, Values, common_spread, stands_out
from tracking.statistics.intervals import t_quantile, variance

POWER = 0.8
MOST_SEEDS = 200  # more of them than anybody trains
_DRAWS, _SEED = 4096, 0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """One of two configurations that are compared.

    Attributes:
        seeds: how many it has.
        deviation: standard deviation between its seeds.
        pooled: whether its spread is part of the pooled one.
    """

    seeds: int
    deviation: float
    pooled: bool


@dataclass(frozen=True)
class Design:
    """A comparison and the family it belongs to.

    Attributes:
        first: one configuration.
        second: the other.
        count: configurations of the family that have an interval.
        deviation: standard deviation between the seeds of the others.
        degrees: degrees of freedom that the others add to the pooled spread.
        unsteady: configurations whose spread stands out, at least 1.
        looks: how often the sweep has been looked at, this comparison included.
    """

    first: Arm
    second: Arm
    count: int
    deviation: float
    degrees: int
    unsteady: int = 1
    looks: int = 1


def alike(count: int, seeds: int, deviation: float) -> Design:
    """Two of ``count`` configurations with the same spread."""
    arm = Arm(seeds, deviation, pooled=True)
    return Design(arm, arm, count, deviation, (count - 2) * (seeds - 1))


@cache
def smallest_difference(compared: Design) -> float:
    """The true difference that is separable in 80 % of sweeps, in the unit of the deviations."""
    if compared.first.deviation == compared.second.deviation == 0:
        return 0.0
    half = _halves(compared)
    error = math.hypot(*(arm.deviation / math.sqrt(arm.seeds) for arm in (compared.first, compared.second)))
    top = float(half.max()) + 9 * error  # separable whatever the draw
    return float(optimize.brentq(lambda d: _power(half, error, d) - POWER, 0.0, top, rtol=1e-6))


def power(compared: Design, difference: float) -> float:
    """The chance that a true ``difference`` is separable."""
    arms = compared.first, compared.second
    error = math.hypot(*(arm.deviation / math.sqrt(arm.seeds) for arm in arms))
    return _power(_halves(compared), error, difference)


def _power(half: Floats, error: float, difference: float) -> float:
    beyond = special.ndtr((difference - half) / error) + special.ndtr((-difference - half) / error)
    return float(beyond.mean())


def _halves(compared: Design) -> Floats:
    """Half the interval's width in sweeps whose seeds have the design's spreads, ``[draws]``."""
    rng = np.random.default_rng(_SEED)
    arms = compared.first, compared.second
    squares = [arm.deviation**2 * rng.chisquare(arm.seeds - 1, _DRAWS) for arm in arms]
    degrees = compared.degrees + sum(arm.seeds - 1 for arm in arms if arm.pooled)
    critical = Critical.of(compared.count, max(1, degrees), compared.unsteady, compared.looks)
    own = sum(
        t_quantile(arm.seeds - 1, critical.own) ** 2 * square / (arm.seeds - 1) / arm.seeds
        for arm, square in zip(arms, squares, strict=True)
    )
    shared = sum((square for arm, square in zip(arms, squares, strict=True) if arm.pooled), np.zeros(_DRAWS))
    if compared.degrees:
        shared = shared + compared.deviation**2 * rng.chisquare(compared.degrees, _DRAWS)
    widening = sum(1 / arm.seeds for arm in arms)
    pooled = critical.pooled**2 * shared / max(1, degrees) * widening
    return np.sqrt(np.maximum(own, pooled))


@dataclass(frozen=True)
class Family:
    """Configurations that are compared with each other; fields as the arguments of ``compare``."""

    groups: Sequence[Values]
    apart: Collection[int] = ()
    looks: int = 1

    @cached_property
    def spread(self) -> Spread | None:
        """The spread that the configurations share; None where none has two seeds."""
        return common_spread([group for index, group in enumerate(self.groups) if self._seeds(index) > 1])

    def design(self, pair: tuple[int, int], more: int = 0) -> Design | None:
        """The comparison of a pair as it is, or at another look, with ``more`` seeds of every configuration.

        A configuration has the pooled standard deviation unless its own stands out. None where no
        configuration has two seeds, or one of the pair is apart or has too few.
        """
        if self.spread is None or any(self._seeds(index) + more < 2 for index in pair):
            return None
        usable = [index for index in range(len(self.groups)) if self._seeds(index) + more > 1]
        others = [index for index in usable if index not in pair and not self._wide[index]]
        degrees = sum(self._seeds(index) + more - 1 for index in others)
        first, second = (self._arm(index, more) for index in pair)
        return Design(
            first,
            second,
            len(usable),
            math.sqrt(self.spread.variance),
            degrees,
            self.spread.unsteady,
            self.looks + (more > 0),
        )

    def more_seeds(self, pair: tuple[int, int]) -> int | None:
        """How many more seeds of every configuration would show the present difference in 80 % of sweeps.

        They are another look at the sweep, and cost what it costs. None beyond ``MOST_SEEDS``, or where there
        is no spread to go by.
        """
        first, second = (self.groups[index] for index in pair)
        present = abs(fmean(second) - fmean(first))

        def shown(more: int) -> bool:
            found = self.design(pair, more)
            return found is not None and 0 < smallest_difference(found) <= present

        return _first(shown, MOST_SEEDS)

    @cached_property
    def _wide(self) -> tuple[bool, ...]:
        spread = self.spread
        return tuple(
            spread is not None and self._seeds(index) > 1 and stands_out(group, spread)
            for index, group in enumerate(self.groups)
        )

    def _seeds(self, index: int) -> int:
        """A configuration's seeds; so few that no more would do where it is apart or has none."""
        seeds = len(self.groups[index])
        return seeds if seeds and index not in self.apart else -MOST_SEEDS

    def _arm(self, index: int, more: int) -> Arm:
        assert self.spread is not None
        wide = self._wide[index]
        deviation = math.sqrt(variance(self.groups[index]) if wide else self.spread.variance)
        return Arm(self._seeds(index) + more, deviation, not wide)


def _first(holds: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 for which a condition holds that then holds for all larger ones."""
    high = 1
    while not holds(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
