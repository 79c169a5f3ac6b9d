"""The best configuration and the run that represents it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tracking.analysis.configurations import Table, tables
from tracking.records.records import SweepRecord, TrialRecord


@dataclass(frozen=True)
class Best:
    """The configuration with the lowest mean ``val/nll_final``, and one run that represents it.

    Attributes:
        configuration: its complete trials.
        trial: the one with the median ``val/nll_final`` (the lower median of an even number).
        val_nll_final: mean over seeds, nats.
        test_nll: mean over seeds, nats; read after the choice, never for it.
        interval: 95 % t-interval of ``val_nll_final`` over seeds; None with one seed.
    """

    configuration: tuple[TrialRecord, ...] = field(repr=False)
    trial: TrialRecord
    val_nll_final: float
    test_nll: float | None
    interval: tuple[float, float] | None

    @property
    def train_seconds(self) -> float:
        """Mean over seeds of the training seconds as they were measured."""
        return fmean(trial.train_seconds for trial in self.configuration)

    @property
    def train_seconds_exclusive(self) -> float | None:
        """Training seconds alone on a machine; None where that was not probed."""
        trial = self.trial
        return trial.seconds_after(trial.history[-1]) if trial.alone and trial.history else None


def median_of(trials: Sequence[TrialRecord]) -> TrialRecord:
    """Of complete trials the one with the median ``val/nll_final``, the lower median of an even number."""
    ranked = sorted(trials, key=lambda trial: (trial.final or {})["val/nll_final"])
    return ranked[(len(ranked) - 1) // 2]


def best_of(table: Table) -> Best:
    """The best configuration of one table, none that diverged while another did not."""
    winner = min(table.steady, key=lambda c: c.mean("val_nll_final") or 0.0)
    estimate = winner.estimate("val_nll_final")
    assert estimate is not None  # tables() leaves out trials without it
    interval = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
    return Best(winner.trials, median_of(winner.trials), estimate.mean, winner.mean("test_nll"), interval)


def best(record: SweepRecord) -> Best | None:
    """The configuration with the lowest mean ``val/nll_final`` over its complete seeds.

    One that diverged for a seed is not chosen for the seeds that did not. Where the sweep varies data,
    likelihood or final evaluation, numbers are not comparable across them: then it is the best of the table
    with most trials. None without a complete trial. Test numbers are never compared.
    """
    found = tables(record)
    return best_of(found[0]) if found else None
