"""Differences between a table's configurations: one family a column, so a pair has one verdict everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from tracking.analysis.configurations import Configuration, Table
from tracking.statistics import power
from tracking.statistics.comparisons import Difference, compare

NLL = "val_nll_final"
Rows = tuple[Configuration, Configuration]


def differences(
    table: Table, pairs: Sequence[Rows], column: str = NLL, *, logarithmic: bool = False
) -> list[Difference | None]:
    """Second mean minus first mean of every pair; None where one of a pair has no value in the column.

    The intervals are part of a family of all pairs of the table's configurations.
    """
    groups = [row.values(column) for row in table.configurations]
    if logarithmic:
        groups = [tuple(log(value) for value in values if value > 0) for values in groups]
    places = _places(table)
    compared = [(places[id(first)], places[id(second)]) for first, second in pairs]
    present = [pair for pair in compared if groups[pair[0]] and groups[pair[1]]]
    found = dict(zip(present, compare(groups, present, apart=_apart(table), looks=table.looks), strict=True))
    return [found.get(pair) for pair in compared]


@dataclass(frozen=True)
class Power:
    """What seeds can show of the difference of two configurations, with 80 % power.

    Attributes:
        smallest: the smallest difference that these seeds would have shown, nats.
        more_seeds: seeds that every configuration needs beyond those it has to show the difference that was
            measured, if that is the true one; None for more than 200.
    """

    smallest: float
    more_seeds: int | None


def power_of(table: Table, first: Configuration, second: Configuration) -> Power | None:
    """What the seeds can show of the two; None where they have no interval."""
    places = _places(table)
    groups = [row.values(NLL) for row in table.configurations]
    pair = places[id(first)], places[id(second)]
    found = power.design(groups, pair, apart=_apart(table), looks=table.looks)
    if found is None:
        return None
    more = power.more_seeds(groups, pair, apart=_apart(table), looks=table.looks)
    return Power(power.smallest_difference(found), more)


def _places(table: Table) -> dict[int, int]:
    return {id(row): index for index, row in enumerate(table.configurations)}


def _apart(table: Table) -> list[int]:
    return [index for index, row in enumerate(table.configurations) if row.diverged]
