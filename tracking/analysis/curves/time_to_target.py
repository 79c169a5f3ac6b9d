"""How many training seconds each K takes to reach a validation NLL that another K ends at.

A trial has reached a target when it is first evaluated at it or below, so its time is late by at most the
time between two evaluations. A trial whose training ended before is censored there, and so is one that is
still running or was stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tracking.analysis.configurations import Configuration
from tracking.analysis.equal_budgets import Point, curve, on_final_scale
from tracking.analysis.strata import Stratum
from tracking.analysis.trials.columns import SCORE
from tracking.records.comparable.score import score_of
from tracking.records.records import TrialRecord
from tracking.statistics.survival import MedianTime, median_time

MARGIN = 0.5  # nats above the best
MOST_TARGETS = 5


@dataclass(frozen=True)
class Curve:
    """What one trial's validation curve shows.

    Attributes:
        trial: whose.
        points: its evaluations, on the scale of the final evaluation.
    """

    trial: TrialRecord
    points: tuple[Point, ...]

    def reached(self, target: float) -> float | None:
        """Training seconds at the first evaluation at the target or below; None where there is none."""
        return next((point.seconds for point in self.points if point.nll <= target), None)


@dataclass(frozen=True)
class Target:
    """A validation NLL and how long each configuration took to reach it.

    Attributes:
        nll: on the scale of the final evaluation, nats.
        ended_at: the configuration that ends at it on average; None for ``MARGIN`` above the best.
        times: of every configuration of the stratum, in its order, seconds.
    """

    nll: float
    ended_at: Configuration | None
    times: tuple[MedianTime, ...]


@dataclass(frozen=True)
class TimeToTarget:
    """The curves of a stratum and its targets.

    Attributes:
        stratum: the configurations.
        curves: of every configuration, in the stratum's order.
        targets: from the easiest to the hardest.
        resolution: the longest time between two evaluations, seconds.
    """

    stratum: Stratum
    curves: tuple[tuple[Curve, ...], ...]
    targets: tuple[Target, ...]
    resolution: float


def time_to_target(stratum: Stratum) -> TimeToTarget | None:
    """The times of a stratum; None with one steady configuration, or where curves are missing or differ."""
    rows = tuple(row for row in stratum.configurations if not row.diverged)
    curves = tuple(_curves(row) for row in rows)
    found = [one for row in curves for one in row]
    settings = {(c.trial.config.evaluation.num_samples, c.trial.config.evaluation.num_images) for c in found}
    if len(rows) < 2 or not all(curves) or len(settings) != 1:
        return None
    gaps = [b - a for one in found for a, b in pairwise([0.0, *(p.seconds for p in one.points)])]
    targets = tuple(_target(nll, row, curves) for nll, row in _levels(rows))
    return TimeToTarget(Stratum(stratum.label, rows), curves, targets, max(gaps))


def _levels(rows: Sequence[Configuration]) -> list[tuple[float, Configuration | None]]:
    """What is asked for: where each but the best ends on average, and a little above the best."""
    ends = sorted(((row.mean(SCORE) or 0.0, row.num_samples, row) for row in rows), reverse=True)
    best = ends.pop()[0]
    levels: list[tuple[float, Configuration | None]] = [(nll, row) for nll, _, row in ends]
    levels.append((best + MARGIN, None))
    return sorted(levels, key=lambda level: -level[0])[-MOST_TARGETS:]


def _target(nll: float, row: Configuration | None, curves: Sequence[Sequence[Curve]]) -> Target:
    return Target(nll, row, tuple(_time(nll, one) for one in curves))


def _time(nll: float, curves: Sequence[Curve]) -> MedianTime:
    times = [(one.reached(nll), one.points[-1].seconds) for one in curves]
    return median_time(
        [reached for reached, _ in times if reached is not None],
        [end for reached, end in times if reached is None],
    )


def _curves(row: Configuration) -> tuple[Curve, ...]:
    """Of the complete trials, and of those that have not ended: moved by as much as the others are."""
    whole = [Curve(trial, on_final_scale(trial)) for trial in row.trials]
    shifts = [
        (one.trial.final or {})[score_of(one.trial.config).final] - measured[-1].nll
        for one in whole
        if (measured := curve(one.trial))
    ]
    if not shifts or len(shifts) < len(whole):
        return ()
    shift = sum(shifts) / len(shifts)
    parts = [
        Curve(trial, tuple(point._replace(nll=point.nll + shift) for point in points))
        for trial in row.unfinished
        if (points := curve(trial))
    ]
    return (*whole, *parts)
