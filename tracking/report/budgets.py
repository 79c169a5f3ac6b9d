"""The same configurations at equal epochs and at equal training seconds, from their validation curves.

A curve is a step function: between two evaluations it has the value of the earlier one. It is read at the
largest epoch, or time, that every curve reaches, and never beyond its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from iwae.config import CosineRate, CyclicalAnnealing, StagedRate, TrainConfig, WarmUp
from tracking.records import TrialRecord
from tracking.report.statistics import Difference, Estimate, differences, pooled_variance, t_interval
from tracking.report.strata import Stratum
from tracking.report.tables import Configuration

NLL, SECONDS = "val/nll", "time/train_seconds"


@dataclass(frozen=True)
class BudgetRow:
    """One configuration at equal epochs and at equal seconds.

    Attributes:
        configuration: whose curve was read.
        at_epochs: mean per-epoch ``val/nll`` over seeds at the common epoch, nats.
        at_seconds: the same at the common time; None if a seed had not been evaluated once by then.
        seeds_at_seconds: the values of the seeds that had been evaluated by then, nats.
        epochs_at_seconds: fewest and most epochs that its seeds had done at the common time.
        cut: the schedules that the common time breaks off, in words; empty if none.
    """

    configuration: Configuration
    at_epochs: Estimate | None
    at_seconds: Estimate | None
    seeds_at_seconds: tuple[float, ...]
    epochs_at_seconds: tuple[int, int]
    cut: str


@dataclass(frozen=True)
class Budget:
    """A stratum at the ``epochs`` and at the ``seconds`` that all its curves reach, a row a configuration."""

    label: str
    epochs: int
    seconds: float
    rows: tuple[BudgetRow, ...]


def budget(stratum: Stratum) -> Budget | None:
    """The stratum at equal budgets; None with one configuration, or where curves are missing or not alike."""
    rows = stratum.configurations
    trials = [trial for row in rows for trial in row.trials]
    curves = {trial.key: curve(trial) for trial in trials}
    settings = {(t.config.evaluation.num_samples, t.config.evaluation.num_images) for t in trials}
    if len(rows) < 2 or not all(curves.values()) or len(settings) != 1:
        return None
    epochs = min(points[-1][0] for points in curves.values())
    seconds = min(points[-1][1] for points in curves.values())
    return Budget(stratum.label, epochs, seconds, tuple(_row(row, curves, epochs, seconds) for row in rows))


def against_lowest(found: Budget) -> list[tuple[BudgetRow, Difference]]:
    """Every other configuration against the lowest at the common time, variance pooled, Holm's correction."""
    rows = [(row, row.at_seconds.mean) for row in found.rows if row.at_seconds is not None]
    if not rows:
        return []
    lowest = min(rows, key=lambda pair: pair[1])[0]
    others = [row for row, _ in rows if row is not lowest]
    pooled = pooled_variance(row.seeds_at_seconds for row, _ in rows)
    pairs = [(lowest.seeds_at_seconds, row.seeds_at_seconds) for row in others]
    return list(zip(others, differences(pairs, pooled), strict=True))


def curve(trial: TrialRecord) -> tuple[tuple[int, float, float], ...]:
    """The trial's evaluations: epoch, training seconds, validation NLL."""
    return tuple(
        (e.epoch, e.metrics[SECONDS], e.metrics[NLL])
        for e in trial.history
        if NLL in e.metrics and SECONDS in e.metrics
    )


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


def _row(
    row: Configuration, curves: dict[str, tuple[tuple[int, float, float], ...]], epochs: int, seconds: float
) -> BudgetRow:
    at_epochs, at_seconds, done = [], [], []
    for trial in row.trials:
        points = curves[trial.key]
        by_epoch = [nll for epoch, _, nll in points if epoch <= epochs]
        by_time = [nll for _, time, nll in points if time <= seconds]
        at_epochs += by_epoch[-1:]
        at_seconds += by_time[-1:]
        done.append(_epochs_done(trial, seconds))
    count = len(row.trials)
    return BudgetRow(
        row,
        t_interval(at_epochs) if len(at_epochs) == count else None,
        t_interval(at_seconds) if len(at_seconds) == count else None,
        tuple(at_seconds),
        (min(done), max(done)),
        " and ".join(broken_off(row.trials[0].config, min(done))),
    )


def _epochs_done(trial: TrialRecord, seconds: float) -> int:
    times: Sequence[tuple[int, float]] = [(e.epoch, e.metrics.get(SECONDS, 0.0)) for e in trial.history]
    return max((epoch for epoch, time in times if time <= seconds), default=0)
