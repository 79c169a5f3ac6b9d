"""Differences between a table's configurations: one family a column, so a pair has one verdict everywhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.statistics.comparisons import Difference, compare
from tracking.statistics.intervals import CONFIDENCE
from tracking.statistics.power import smallest_difference

Rows = tuple[Configuration, Configuration]


def differences(
    table: Table, pairs: Sequence[Rows], column: str = SCORE, *, logarithmic: bool = False
) -> list[Difference | None]:
    """Second mean minus first mean of every pair; None where one of a pair has no value in the column.

    The intervals are part of a family of all pairs of the table's configurations.
    """
    groups = [row.values(column) for row in table.configurations]
    if logarithmic:
        groups = [tuple(math.log(value) for value in values if value > 0) for values in groups]
    places = _places(table)
    compared = [(places[id(first)], places[id(second)]) for first, second in pairs]
    present = [pair for pair in compared if groups[pair[0]] and groups[pair[1]]]
    found = dict(zip(present, compare(groups, present, apart=table.apart, looks=table.looks), strict=True))
    return [found.get(pair) for pair in compared]


def ratios_of_seconds(table: Table, pairs: Sequence[Rows]) -> list[Difference | None]:
    """Logarithm of the ratio of training seconds, second to first: clocks err in proportion."""
    if table.timed_on is None:
        return differences(table, pairs, SECONDS, logarithmic=True)
    return [probed_ratio(*pair, math.comb(len(table.configurations), 2)) for pair in pairs]


def probed_ratio(first: Configuration, second: Configuration, size: int) -> Difference | None:
    """The same of two configurations whose steps were probed alone.

    Two probes are independent, and the errors of their logarithms close to normal; one probe of both has no
    error in their ratio.

    Args:
        first: has a probe.
        second: too.
        size: how many ratios share the error rate (Bonferroni).
    """
    before, after = first.mean(SECONDS), second.mean(SECONDS)
    if first.alone is None or second.alone is None or not before or not after:
        return None
    value = math.log(after / before)
    if first.diverged or second.diverged:
        return Difference(value)
    halves = [math.log(one.high / one.low) / 2 for one in (first.alone, second.alone)]
    wider = _normal(1 - (1 - CONFIDENCE) / max(1, size)) / _normal(CONFIDENCE)
    half = 0.0 if first.alone == second.alone else wider * math.hypot(*halves)
    return Difference(value, value - half, value + half)


def _normal(confidence: float) -> float:
    return float(special.ndtri((1 + confidence) / 2))


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
