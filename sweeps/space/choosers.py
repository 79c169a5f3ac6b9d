"""Choosers: what decides each choice when a point is drawn from a space.

Those that ask Optuna stand with the samplers (`sweeps.plan.samplers`).
"""

import math
import random
from collections.abc import Mapping
from typing import Protocol


class Chooser(Protocol):
    """Decides every choice of a space, by the choice's name."""

    def option(self, name: str, count: int) -> int:
        """A number in 0 … count − 1."""

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        """A number in [low, high], uniform or log-uniform."""

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        """A whole number among low, low + step, … ≤ high, uniform or log-uniform."""


class Point:
    """Reads each choice from a point of the unit cube.

    Args:
        coordinates: numbers in [0, 1) by the choice's name.
    """

    def __init__(self, coordinates: Mapping[str, float]) -> None:
        self._coordinates = coordinates

    def option(self, name: str, count: int) -> int:
        """Options share [0, 1) equally."""
        return int(self._coordinates[name] * count)

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        """Linear, or linear in the logarithm."""
        at = self._coordinates[name]
        if log:
            return min(high, max(low, math.exp(math.log(low) + at * math.log(high / low))))
        return low + at * (high - low)

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        """Numbers share [0, 1) equally; with ``log``, k has the width of [k − ½, k + ½] in the logarithm."""
        at = self._coordinates[name]
        if log:
            lowest, highest = math.log(low - 0.5), math.log(high + 0.5)
            return min(high, max(low, round(math.exp(lowest + at * (highest - lowest)))))
        return low + step * int(at * ((high - low) // step + 1))


class Prober:
    """Draws points that are likely to show an invalid configuration: the bounds of a range are drawn often.

    Its seed is fixed, so the same spec is always refused or accepted.
    """

    def __init__(self) -> None:
        self._random = random.Random(0)

    def option(self, name: str, count: int) -> int:
        """Every option equally often."""
        return self._random.randrange(count)

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        """Each bound a third of the time."""
        return self._random.choice((low, high, self._random.uniform(low, high)))

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        """Each bound at least a third of the time."""
        return self._random.choice((low, high, self._random.randrange(low, high + 1, step)))
