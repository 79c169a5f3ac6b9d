"""The best configuration and the run that represents it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tracking.analysis.configurations import Table, tables
from tracking.analysis.trials.columns import SCORE, TEST_SCORE
from tracking.records.comparable.score import Score, score_of
from tracking.records.records import SweepRecord, TrialRecord


@dataclass(frozen=True)
class Best:
    """The configuration with the lowest mean validation score, and one run that represents it.

    Attributes:
        configuration: its complete trials.
        trial: the one with the median value (the lower median of an even number).
        score: what ranks.
        value: of it on validation data, mean over seeds.
        test_value: the same on test data; read after the choice, never for it.
        interval: 95 % t-interval of ``value`` over seeds; None with one seed.
    """

    configuration: tuple[TrialRecord, ...] = field(repr=False)
    trial: TrialRecord
    score: Score
    value: float
    test_value: float | None
    interval: tuple[float, float] | None

    @property
    def val_nll_final(self) -> float | None:
        """Mean over seeds, nats; None of models without a likelihood."""
        return self.value if self.score.is_likelihood else None

    @property
    def test_nll(self) -> float | None:
        """Mean over seeds, nats; None of models without a likelihood."""
        return self.test_value if self.score.is_likelihood else None

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
    """Of complete trials the one with the median validation score, the lower median of an even number."""
    ranked = sorted(trials, key=lambda trial: (trial.final or {})[score_of(trial.config).final])
    return ranked[(len(ranked) - 1) // 2]


def best_of(table: Table) -> Best:
    """The best configuration of one table, none that diverged while another did not."""
    winner = min(table.steady, key=lambda c: c.mean(SCORE) or 0.0)
    estimate = winner.estimate(SCORE)
    assert estimate is not None  # tables() leaves out trials without it
    interval = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
    trial, test = median_of(winner.trials), winner.mean(TEST_SCORE)
    return Best(winner.trials, trial, table.score, estimate.mean, test, interval)


def best(record: SweepRecord) -> Best | None:
    """The configuration with the lowest mean validation score over its complete seeds.

    One that diverged for a seed is not chosen for the seeds that did not. Where the sweep varies data,
    likelihood or final evaluation, numbers are not comparable across them: then it is the best of the first
    table, that of likelihoods with most trials. None without a complete trial. Test numbers are never
    compared.
    """
    found = tables(record)
    return best_of(found[0]) if found else None
