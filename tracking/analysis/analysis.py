"""Everything that the report says about one table, computed once."""

from dataclasses import dataclass
from functools import cached_property

from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.curves.time_to_target import TimeToTarget, time_to_target
from tracking.analysis.equal_budgets import Budget, budget
from tracking.analysis.gains import Gain, against_best, gains, saturation
from tracking.analysis.importance.importance import Importance, importance
from tracking.analysis.kinds import Kind, kinds
from tracking.analysis.recommendation import Recommendation, recommend
from tracking.analysis.strata import Stratum, answering, strata
from tracking.analysis.time_fit import TimeFit, adjusted_fit, stratum_fit
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.analysis.winner import Best, best_of
from tracking.statistics.comparisons import Difference
from tracking.statistics.fits.saturation import Saturation
from tracking.statistics.pareto import pareto_front


@dataclass(frozen=True)
class Analysis:
    """One table and what follows from it.

    Attributes:
        table: the configurations.
        best: the one with the lowest mean final validation NLL, none that diverged.
        best_row: its row.
        strata: configurations that differ in K alone.
        fits: training time against K, for every stratum with two K's or more; none at equal seconds.
        adjusted: the same over the whole table, adjusted for what else is varied.
        gains: what each step up in K buys, within strata.
        against_best: every other configuration against the best.
        front: Pareto front of mean training seconds and mean final validation NLL, by seconds; none diverged.
        budgets: equal epochs and equal seconds, for each stratum with two K's, else over the whole table.
        importance: of the space's parameters.
        kinds: the kinds of model, the best one first; empty where there is only one.
    """

    table: Table
    best: Best
    best_row: Configuration
    strata: tuple[Stratum, ...]
    fits: tuple[TimeFit, ...]
    adjusted: TimeFit | None
    gains: tuple[Gain, ...]
    against_best: tuple[tuple[Configuration, Difference], ...]
    front: tuple[Configuration, ...]
    budgets: tuple[Budget, ...]
    importance: Importance
    kinds: tuple[Kind, ...]

    @cached_property
    def recommendation(self) -> Recommendation | None:
        """Which K to take of ``chosen``; None where no two K's can be compared."""
        return None if self.chosen is None else recommend(self.table, self.chosen)

    @cached_property
    def time_to_target(self) -> TimeToTarget | None:
        """How long each K of ``chosen`` takes to a target; None where there are no curves to compare."""
        return None if self.chosen is None else time_to_target(self.chosen)

    @cached_property
    def saturation(self) -> Saturation | None:
        """The NLL of the K's of ``chosen`` as a curve that levels off; None with fewer than four K's."""
        return None if self.chosen is None else saturation(self.table, self.chosen)

    @property
    def chosen(self) -> Stratum | None:
        """The stratum that answers for K: the best configuration's, else the one with most K's."""
        return answering(self.strata, self.best_row.trials)

    @property
    def replicated(self) -> bool:
        """Whether any configuration has two complete seeds."""
        return any(len(row.trials) > 1 for row in self.table.configurations)

    def fit_of(self, stratum: Stratum) -> TimeFit | None:
        """The stratum's own line."""
        return next((fit for fit in self.fits if fit.label == stratum.label), None)


def analyse(table: Table) -> Analysis:
    """The analysis of one table; it needs no random numbers and no clock."""
    groups, best, equal = strata(table), best_of(table), table.equal_seconds is not None
    best_row = next(row for row in table.configurations if row.trials is best.configuration)
    compared = [group for group in groups if len(group.configurations) > 1]
    timed = [(row, seconds) for row in table.steady if (seconds := row.mean(SECONDS)) is not None]
    front = pareto_front([(seconds, row.mean(SCORE) or 0.0) for row, seconds in timed])
    return Analysis(
        table=table,
        best=best,
        best_row=best_row,
        strata=groups,
        fits=() if equal else tuple(fit for group in compared if (fit := stratum_fit(group)) is not None),
        adjusted=None if equal else adjusted_fit(table),
        gains=gains(table, compared),
        against_best=against_best(table, best_row),
        front=tuple(timed[index][0] for index in front),
        budgets=tuple(
            found
            for group in compared or [Stratum("", table.configurations)]
            if (found := budget(group)) is not None
        ),
        importance=importance(table),
        kinds=kinds(table),
    )
