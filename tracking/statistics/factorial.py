"""Analysis of variance of a full grid: what each parameter and each pair of them does to the mean NLL."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tracking.statistics.intervals import CONFIDENCE

Floats = NDArray[np.float64]
DRAWS = 1000
_SEED = 0


@dataclass(frozen=True)
class Share:
    """A part of the variance between configurations, in [0, 1], and its 95 % interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Factorial:
    """A full grid of means.

    Attributes:
        means: one a cell, ``[levels of the first parameter, levels of the second, ...]``.
        noise: variance of a mean between seeds, averaged over the cells.
        degrees: degrees of freedom that ``noise`` rests on.
    """

    means: Floats
    noise: float
    degrees: int

    @cached_property
    def subsets(self) -> tuple[tuple[int, ...], ...]:
        """The axes of every effect: each parameter, each pair, and so on."""
        axes = range(self.means.ndim)
        return tuple(found for size in range(1, self.means.ndim + 1) for found in combinations(axes, size))

    def shares(self) -> dict[tuple[int, ...], Share]:
        """The share of each effect, with a parametric bootstrap over the seeds' noise.

        Noise alone moves every effect's mean square by its degrees of freedom times the noise, which is taken
        off. The bootstrap starts from effects that are shrunk by the same amount, so that in its world the
        truth is what was estimated here.
        """
        effects = self._effects(self.means[np.newaxis])
        squares = {axes: float(np.square(effect).mean()) for axes, effect in effects.items()}
        estimate = self._of_total({axes: np.array([squares[axes]]) for axes in squares}, self.noise)
        left = {axes: squares[axes] - self._from_noise(axes, self.noise) for axes in squares}
        centre = self.means.mean() + sum(
            effect[0] * np.sqrt(max(0.0, left[axes]) / squares[axes])
            for axes, effect in effects.items()
            if squares[axes] > 0
        )
        rng = np.random.default_rng(_SEED)
        spread = self.noise * self.degrees / rng.chisquare(self.degrees, DRAWS)
        again = centre + np.sqrt(spread).reshape(-1, *[1] * self.means.ndim) * rng.standard_normal(
            (DRAWS, *self.means.shape)
        )
        measured = spread * rng.chisquare(self.degrees, DRAWS) / self.degrees
        drawn = self._of_total(
            {axes: self._mean_square(effect) for axes, effect in self._effects(again).items()}, measured
        )
        tail = (1 - CONFIDENCE) / 2
        return {
            axes: Share(float(value[0]), *map(float, np.quantile(drawn[axes], (tail, 1 - tail))))
            for axes, value in estimate.items()
        }

    def _effects(self, means: Floats) -> dict[tuple[int, ...], Floats]:
        """Of grids ``[N, ...]`` every effect, broadcastable to them; they sum to grid minus mean."""
        found: dict[tuple[int, ...], Floats] = {}
        grand = means.mean(axis=tuple(range(1, means.ndim)), keepdims=True)
        for axes in self.subsets:
            others = tuple(axis + 1 for axis in range(self.means.ndim) if axis not in axes)
            marginal = means.mean(axis=others, keepdims=True) - grand if others else means - grand
            found[axes] = marginal - sum(found[inner] for inner in found if set(inner) < set(axes))
        return found

    @staticmethod
    def _mean_square(effect: Floats) -> Floats:
        return np.asarray(np.square(effect).mean(axis=tuple(range(1, effect.ndim))))

    def _from_noise(self, axes: Sequence[int], noise: float | Floats) -> float | Floats:
        degrees = float(np.prod([self.means.shape[axis] - 1 for axis in axes]))
        return degrees / self.means.size * noise

    def _of_total(
        self, squares: dict[tuple[int, ...], Floats], noise: float | Floats
    ) -> dict[tuple[int, ...], Floats]:
        left = {axes: square - self._from_noise(axes, noise) for axes, square in squares.items()}
        total = np.asarray(sum(left.values()))
        return {
            axes: np.clip(np.where(total > 0, part / np.where(total > 0, total, 1.0), 0.0), 0.0, 1.0)
            for axes, part in left.items()
        }
