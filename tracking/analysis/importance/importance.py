"""What share of the variance between configurations each parameter accounts for, beyond the seeds' noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from statistics import fmean, median
from typing import Any

import numpy as np

from tracking.analysis.configurations import Configuration, Table, text
from tracking.analysis.importance.fanova import INTERACTIONS, forest_shares
from tracking.analysis.strata import short_path, telling
from tracking.analysis.trials.columns import SCORE
from tracking.statistics.factorial import Factorial, Floats, Share
from tracking.statistics.intervals import CONFIDENCE, pooled_variance

FEWEST_CONFIGURATIONS = 10
_PERMUTATIONS = 1999
_SEED = 0


@dataclass(frozen=True)
class Importance:
    """Shares of the variance between the configurations' mean validation scores, or why there are none.

    Attributes:
        shares: main effects by short name (``K``) and interactions (``K × D``), largest first. Of a full grid
            the seeds' noise is taken off; else they are what a random forest sees, without intervals.
        grid: whether they come from a full grid's analysis of variance.
        left_out: parameters that not every configuration has.
        reason: why it cannot be said; empty if it can.
    """

    shares: Mapping[str, Share] = field(default_factory=dict)
    grid: bool = False
    left_out: tuple[str, ...] = ()
    reason: str = ""


def importance(table: Table) -> Importance:
    """Analysis of variance over a full grid, functional ANOVA elsewhere; a configuration is a point."""
    rows, paths = table.steady, table.distinct_paths
    left_out = tuple(p for p in paths if any(row.parameters.get(p) is None for row in rows))
    usable = [path for path in paths if path not in left_out]
    hidden = tuple(short_path(path) for path in left_out)
    if reason := _reason(rows, usable):
        return Importance(left_out=hidden, reason=reason)
    pooled = pooled_variance(row.values(SCORE) for row in rows)
    if pooled is None:
        reason = "with one seed per configuration, the effect of a parameter cannot be told from noise"
        return Importance(left_out=hidden, reason=reason)
    noise = pooled.variance * fmean(1 / len(row.values(SCORE)) for row in rows)
    p = chance_of_all([row.values(SCORE) for row in rows])
    if p >= 1 - CONFIDENCE:
        reason = (
            "nothing is separable: the configurations differ by no more than their seeds do"
            f" (permutation test without the configuration farthest off, p = {p:.2g})"
        )
        return Importance(left_out=hidden, reason=reason)
    means = [fmean(row.values(SCORE)) for row in rows]
    shares = _grid_shares(rows, usable, means, noise, pooled.degrees)
    grid = shares is not None
    if shares is None:
        points = [{path: row.parameters[path] for path in usable} for row in rows]
        found = forest_shares(points, means)
        shares = {path if path == INTERACTIONS else short_path(path): Share(s) for path, s in found.items()}
    ordered = sorted(shares.items(), key=lambda item: -item[1].value)
    return Importance(dict(ordered), grid, hidden)


def _reason(rows: Sequence[Configuration], usable: Sequence[str]) -> str:
    if len(usable) < 2:
        what = f"only {short_path(usable[0])} is" if usable else "no parameter is"
        return f"{what} varied over the whole table: there is nothing to compare it with"
    if len(rows) < FEWEST_CONFIGURATIONS:
        return f"{len(rows)} complete configurations are too few: at least {FEWEST_CONFIGURATIONS} are needed"
    if len({row.mean(SCORE) for row in rows}) == 1:
        return "all configurations have the same mean"
    return ""


def _goes_with(rows: Sequence[Configuration], path: str, kept: str) -> bool:
    """Whether a parameter has one value for each value of another one."""
    pairs = {(text(row.parameters[path]), text(row.parameters[kept])) for row in rows}
    return len(pairs) == len({value for _, value in pairs})


def chance_of_all(groups: Sequence[Sequence[float]]) -> float:
    """The larger p-value of ``chance`` with all groups and without the one farthest from the median.

    One unsteady configuration would be enough: with ten times the spread of 11 others and equal
    means, ``chance`` is below .05 in 37 % of sweeps, and this in 1 %.
    """
    means = [fmean(group) for group in groups]
    farthest = max(range(len(groups)), key=lambda index: abs(means[index] - median(means)))
    return max(chance(groups), chance([group for index, group in enumerate(groups) if index != farthest]))


def chance(groups: Sequence[Sequence[float]]) -> float:
    """P-value that all groups are draws of one distribution: their means' spread, values permuted."""
    sizes = np.array([len(group) for group in groups])
    values = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups])
    values -= values.mean()
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def between(rows: Floats) -> Floats:
        return np.square(np.add.reduceat(rows, starts, axis=1)) @ (1 / sizes)

    rng = np.random.default_rng(_SEED)
    drawn = between(rng.permuted(np.tile(values, (_PERMUTATIONS, 1)), axis=1))
    (seen,) = between(values[np.newaxis])
    return float((1 + np.count_nonzero(drawn >= seen * (1 - 1e-12))) / (1 + _PERMUTATIONS))


def _grid_shares(
    rows: Sequence[Configuration], usable: Sequence[str], means: Sequence[float], noise: float, degrees: int
) -> dict[str, Share] | None:
    """The shares where the configurations are every combination of the parameters' values; else None."""
    keys = [tuple(text(row.parameters[path]) for path in usable) for row in rows]
    paths = telling(usable, keys)
    aside = [path for path in usable if path not in paths]
    if len(paths) < 2 or not all(any(_goes_with(rows, path, kept) for kept in paths) for path in aside):
        return None
    cells = {
        tuple(text(row.parameters[path]) for path in paths): m for row, m in zip(rows, means, strict=True)
    }
    levels: list[list[Any]] = [sorted({cell[axis] for cell in cells}) for axis in range(len(paths))]
    if len(cells) != len(rows) or len(rows) != np.prod([len(level) for level in levels]):
        return None
    grid = np.array([cells[cell] for cell in product(*levels)]).reshape([len(level) for level in levels])
    found = Factorial(grid, noise, degrees).shares()
    names = [short_path(path) for path in paths]
    return {" × ".join(names[axis] for axis in axes): share for axes, share in found.items()}
