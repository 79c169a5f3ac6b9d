"""Differences between a table's configurations: one family a column, so a pair has one verdict everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from tracking.analysis.configurations import Configuration, Table
from tracking.statistics.comparisons import Difference, compare
from tracking.statistics.power import smallest_difference

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
    found = dict(zip(present, compare(groups, present, apart=table.apart, looks=table.looks), strict=True))
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
    pair = places[id(first)], places[id(second)]
    found = table.family.design(pair)
    return None if found is None else Power(smallest_difference(found), table.family.more_seeds(pair))


def power_unless_shown(
    table: Table, first: Configuration, second: Configuration, difference: Difference
) -> Power | None:
    """``power_of`` where the difference is not separable; None where it is, and needs no power."""
    return power_of(table, first, second) if difference.separable is False else None


def _places(table: Table) -> dict[int, int]:
    return {id(row): index for index, row in enumerate(table.configurations)}
