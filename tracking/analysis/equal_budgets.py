"""The same configurations at equal epochs and at equal training seconds, from their validation curves.

Curves are measured at few importance samples, which flatters small K, and a slow configuration is evaluated
less often than a fast one. So a curve is moved to the scale of the final evaluation, and all are read at one
moment: the last one, that every curve reaches, at which the rarest of them was evaluated. The others are
interpolated there; no curve is read before its first evaluation or beyond its last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from iwae.config.schedules import CosineRate, CyclicalAnnealing, StagedRate, WarmUp
from iwae.config.train import TrainConfig
from tracking.analysis.configurations import Configuration
from tracking.analysis.strata import Stratum
from tracking.records.comparable.score import score_of
from tracking.records.records import TrialRecord
from tracking.statistics.comparisons import Difference, compare
from tracking.statistics.intervals import Estimate, t_interval


@dataclass(frozen=True)
class BudgetRow:
    """One configuration at equal epochs and at equal seconds.

    Attributes:
        configuration: whose curve was read.
        at_epochs: mean validation NLL over seeds at the common epoch, nats, on the final evaluation's scale.
        at_seconds: the same at the common time; None if a seed had not been evaluated once by then.
        seeds_at_seconds: the values of the seeds that had been evaluated by then, nats.
        epochs_at_seconds: fewest and most epochs that its seeds had done at the common time.
        cut: the schedules that the common time breaks off, by name; empty if none.
    """

    configuration: Configuration
    at_epochs: Estimate | None
    at_seconds: Estimate | None
    seeds_at_seconds: tuple[float, ...]
    epochs_at_seconds: tuple[int, int]
    cut: str


@dataclass(frozen=True)
class Budget:
    """A stratum at equal epochs and at equal seconds, one row per configuration.

    Attributes:
        epochs: the last epoch that every curve reaches and the rarest was evaluated at.
        seconds: the same in training seconds.
    """

    label: str
    epochs: int
    seconds: float
    rows: tuple[BudgetRow, ...]


def budget(stratum: Stratum) -> Budget | None:
    """The stratum at equal budgets; None with one configuration, or where curves are missing or not alike."""
    rows = stratum.configurations
    trials = [trial for row in rows for trial in row.trials]
    curves = {trial.key: on_final_scale(trial) for trial in trials}
    settings = {(t.config.evaluation.num_samples, t.config.evaluation.num_images) for t in trials}
    if len(rows) < 2 or not all(curves.values()) or len(settings) != 1:
        return None
    epochs = round(moment([[point.epoch for point in points] for points in curves.values()]))
    seconds = moment([[point.seconds for point in points] for points in curves.values()])
    return Budget(stratum.label, epochs, seconds, tuple(_row(row, curves, epochs, seconds) for row in rows))


def lowest_of(found: Budget) -> BudgetRow | None:
    """The configuration with the lowest mean at the common time, none that diverged while another did not."""
    rows = [row for row in found.rows if row.at_seconds is not None]
    steady = [row for row in rows if not row.configuration.diverged]
    return min(steady or rows, key=lambda row: row.at_seconds.mean if row.at_seconds else 0.0, default=None)


def against_lowest(found: Budget, looks: int = 1) -> list[tuple[BudgetRow, Difference]]:
    """Every other configuration against the lowest at the common time."""
    rows = [row for row in found.rows if row.at_seconds is not None]
    lowest = lowest_of(found)
    place = next((index for index, row in enumerate(rows) if row is lowest), 0)
    pairs = [(place, index) for index in range(len(rows)) if index != place]
    apart = [index for index, row in enumerate(rows) if row.configuration.diverged]
    groups = [row.seeds_at_seconds for row in rows]
    differences = compare(groups, pairs, apart=apart, looks=looks)
    return [(rows[index], one) for (_, index), one in zip(pairs, differences, strict=True)]


class Point(NamedTuple):
    """An evaluation: completed epochs, training seconds, and validation NLL in nats."""

    epoch: int
    seconds: float
    nll: float


def curve(trial: TrialRecord) -> tuple[Point, ...]:
    """The trial's evaluations as they were measured, at ``evaluation.num_samples``."""
    metric = score_of(trial.config).curve
    return tuple(
        Point(e.epoch, seconds, e.metrics[metric])
        for e in trial.history
        if metric in e.metrics and (seconds := trial.seconds_after(e)) is not None
    )


def on_final_scale(trial: TrialRecord) -> tuple[Point, ...]:
    """The trial's curve, moved so that it ends at its final validation score.

    The last per-epoch value and the final one measure the same weights, so their difference is what fewer
    samples and fewer images change. It is taken to be the same all along the curve.
    """
    points, final = curve(trial), (trial.final or {}).get(score_of(trial.config).final)
    if not points or final is None:
        return points
    shift = final - points[-1].nll
    return tuple(point._replace(nll=point.nll + shift) for point in points)


def moment(positions: Iterable[Sequence[float]]) -> float:
    """The last position, within the reach of all, at which the rarest was evaluated.

    Args:
        positions: of every curve its evaluations, ascending; none empty. One that is first evaluated after
            the end of another does not count.
    """
    rows = list(positions)
    end = min(row[-1] for row in rows)
    return min(max(place for place in row if place <= end) for row in rows if row[0] <= end)


def read(positions: Sequence[float], nlls: Sequence[float], at: float) -> float | None:
    """A curve's NLL at a position; None before its first evaluation or beyond its last.

    Between evaluations it is interpolated monotonically (Fritsch and Carlson 1980) over the logarithm of the
    position, in which learning curves are close to straight: a chord over the position itself is above
    them, most of all where evaluations are rare.
    """
    if not positions[0] <= at <= positions[-1]:
        return None
    if at in positions:  # the value that was measured, to the bit
        return nlls[positions.index(at)]
    return float(PchipInterpolator(np.log(positions), nlls)(np.log(at)))


def broken_off(config: TrainConfig, epochs: int) -> list[str]:
    """The schedules of a configuration that stopping after ``epochs`` epochs breaks off."""
    if epochs >= config.num_epochs:
        return []
    annealing, rate = config.annealing, config.optimizer.schedule
    cut = []
    if isinstance(annealing, WarmUp) and annealing.warmup_epochs > epochs:
        cut.append(f"{annealing.name} warm-up of {annealing.warmup_epochs} epochs")
    if isinstance(annealing, CyclicalAnnealing):
        cut.append("cyclical annealing")
    if isinstance(rate, CosineRate):
        cut.append("cosine learning rate")
    if isinstance(rate, StagedRate):
        ends = [sum(rate.epochs[: i + 1]) for i in range(len(rate.epochs) - 1)]
        if any(epochs <= end < config.num_epochs for end in ends):
            cut.append("staged learning rate")
    return cut


def _row(row: Configuration, curves: dict[str, tuple[Point, ...]], epochs: int, seconds: float) -> BudgetRow:
    at_epochs, at_seconds, done = [], [], []
    for trial in row.trials:
        points = curves[trial.key]
        nlls = [point.nll for point in points]
        at_epochs.append(read([point.epoch for point in points], nlls, epochs))
        at_seconds.append(read([point.seconds for point in points], nlls, seconds))
        done.append(_epochs_done(trial, seconds))
    known = tuple(value for value in at_seconds if value is not None)
    return BudgetRow(
        row,
        _over_all_seeds(at_epochs),
        _over_all_seeds(at_seconds),
        known,
        (min(done), max(done)),
        " and ".join(broken_off(row.trials[0].config, min(done))),
    )


def _over_all_seeds(values: Sequence[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return t_interval(known) if len(known) == len(values) else None


def _epochs_done(trial: TrialRecord, seconds: float) -> int:
    times = [(e.epoch, trial.seconds_after(e) or 0.0) for e in trial.history]
    return max((epoch for epoch, time in times if time <= seconds), default=0)
