"""Which K to take, and whether the data allow to say so."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.differences import Power, differences, power_unless_shown
from tracking.analysis.strata import Stratum, answering, strata
from tracking.analysis.trials.columns import SCORE, TEST_SCORE
from tracking.analysis.winner import best_of
from tracking.records.comparable.yardstick import fewest_final_samples
from tracking.statistics.comparisons import Difference


class Doubt(StrEnum):
    """Why no K is recommended."""

    TOO_FEW_SAMPLES = "the final likelihood has too few importance samples to rank configurations"
    NO_REPLICATES = "fewer than two K's have two complete seeds"
    BEST_HAS_ONE_SEED = "the best K has one complete seed"
    NOTHING_SHOWN = "no difference between the best K and the smallest is shown"


@dataclass(frozen=True)
class Standing:
    """A K between the smallest and the best one; all intervals are of one family.

    Attributes:
        configuration: what has this K.
        gives_up: its final validation NLL minus the best's, nats; None for the best.
        at_most: what it gives up at most against the best, nats, 0 or more: the upper end of ``gives_up``; of
            the best against any other K (Hsu 1984).
        change: its final validation NLL minus that of the smallest K, nats; None for the smallest.
        on_test: the same on test data, which decides nothing.
        best: the best.
        table: which holds both.
    """

    configuration: Configuration
    gives_up: Difference | None
    at_most: float
    change: Difference | None
    on_test: Difference | None
    best: Configuration = field(repr=False)
    table: Table = field(repr=False)

    @cached_property
    def power(self) -> Power | None:
        """Of the comparison with the best; None for the best, and where they are separable."""
        if self.gives_up is None:
            return None
        return power_unless_shown(self.table, self.best, self.configuration, self.gives_up)

    @property
    def near(self) -> bool:
        """Whether it is not separable from the best, or the best itself."""
        return self.gives_up is None or not self.gives_up.separable

    @property
    def gains_at_least(self) -> float:
        """What it gains at least over the smallest K, nats; 0 or more."""
        return 0.0 if self.change is None or self.change.high is None else max(0.0, -self.change.high)

    @property
    def keeps_half(self) -> bool:
        """Whether it is shown to gain more over the smallest K than it gives up against the best."""
        return self.gains_at_least > self.at_most


@dataclass(frozen=True)
class Recommendation:
    """The answer for configurations that differ in K alone.

    That seeds do not separate two K's is no evidence that they are equal: with few seeds nothing is
    separable, and the smallest K would always do. So a K is recommended only where the sweep shows that K
    matters:

    - The best is separable from the smallest K. Then ``chosen`` is the smallest K that is not separable from
      the best and gains more over the smallest, at least, than it gives up, at most; else the best itself.
      The second is the test of non-inferiority that asks for half of the effect (FDA 2016, "Non-Inferiority
      Clinical Trials to Establish Effectiveness"): what gains more than it gives up has kept more than half.
    - Or the smallest K is itself the best, and separable from a larger one. Then ``chosen`` is the smallest.

    In a sweep at equal seconds no K is cheaper, and ``chosen`` is the best if it is separable from any.

    Attributes:
        stratum: the configurations.
        best: the one with the lowest mean final validation NLL, none that diverged.
        smallest: the one with the smallest K that can be judged; ``best`` where none can.
        chosen: the one to take; None where the data do not allow to say.
        doubt: why not; None where there is a ``chosen``.
        standings: of every K that can be judged, ascending.
        unjudged: steady configurations without an interval: one complete seed.
    """

    stratum: Stratum
    best: Configuration
    smallest: Configuration
    chosen: Configuration | None
    doubt: Doubt | None
    standings: tuple[Standing, ...] = ()
    unjudged: tuple[Configuration, ...] = ()

    @property
    def judged(self) -> Standing | None:
        """The standing of ``chosen``, else of ``smallest``; None where nothing can be judged."""
        row = self.chosen or self.smallest
        return next((one for one in self.standings if one.configuration is row), None)

    @property
    def open(self) -> tuple[Standing, ...]:
        """Smaller K's than ``chosen``, not separable from the best, that may give up more than they gain."""
        if self.chosen is None:
            return ()
        most = self.chosen.num_samples
        return tuple(one for one in self.standings if one.near and one.configuration.num_samples < most)

    @property
    def at_the_end(self) -> bool:
        """Whether the best is the largest K tried."""
        return self.best is self.stratum.configurations[-1]


def recommendation_of(table: Table) -> Recommendation | None:
    """The recommendation for the configurations that answer for K; None where no two differ in K alone."""
    found = answering(strata(table), best_of(table).configuration)
    return None if found is None else recommend(table, found)


def recommend(table: Table, stratum: Stratum) -> Recommendation | None:
    """The recommendation for a stratum; None where all of its K's, or all but one, diverged."""
    steady = [row for row in stratum.configurations if not row.diverged]
    if len(steady) < 2:
        return None
    best = min(steady, key=lambda row: row.mean(SCORE) or 0.0)
    rows = [row for row in steady if len(row.trials) > 1]
    unjudged = tuple(row for row in steady if len(row.trials) == 1)
    if len(rows) < 2 or best not in rows:
        doubt = Doubt.NO_REPLICATES if len(rows) < 2 else Doubt.BEST_HAS_ONE_SEED
        return Recommendation(stratum, best, best, None, doubt, (), unjudged)
    standings = _standings(table, rows, best)
    chosen = _choice(standings, best)
    if table.equal_seconds is not None:  # no K is cheaper than another
        chosen = best if any(not one.near for one in standings) else None
    why = None if chosen is not None else Doubt.NOTHING_SHOWN
    if table.yardstick.final_num_samples < fewest_final_samples(stratum.num_samples[-1]):
        chosen, why = None, Doubt.TOO_FEW_SAMPLES
    return Recommendation(stratum, best, rows[0], chosen, why, standings, unjudged)


def _choice(standings: Sequence[Standing], best: Configuration) -> Configuration | None:
    smallest, *others = standings
    if smallest.configuration is best:
        return best if any(not one.near for one in others) else None
    if smallest.near:
        return None
    return next((one.configuration for one in others if one.near and one.keeps_half), best)


def _standings(table: Table, rows: Sequence[Configuration], best: Configuration) -> tuple[Standing, ...]:
    smallest = rows[0]
    pairs = [(first, second) for first in rows for second in rows if first is not second]
    found = {
        (id(first), id(second)): one
        for (first, second), one in zip(pairs, differences(table, pairs), strict=True)
        if one is not None
    }
    on_test = differences(table, [(smallest, row) for row in rows], TEST_SCORE)
    standings = []
    for row, test in zip(rows, on_test, strict=True):
        rivals = [other for other in rows if other is not row] if row is best else [best]
        ends = [found[id(other), id(row)].high for other in rivals]
        gives_up = found.get((id(best), id(row)))
        standings.append(
            Standing(
                row,
                gives_up,
                max(0.0, *(end for end in ends if end is not None)),
                found.get((id(smallest), id(row))),
                None if row is smallest else test,
                best,
                table,
            )
        )
    return tuple(standings)
