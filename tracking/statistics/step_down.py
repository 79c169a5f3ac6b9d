"""Differences of fixed pairs by Holm's step-down procedure (Holm 1979).

All pairs are first tested at the level for all of them (`tracking.statistics.comparisons`); where some are
separable, the others are tested again at the level for those that are left, and so on. As with Bonferroni's
correction, at most 5 % of families have a difference that is called separable and is not there, and more
true ones are found.

An interval is that of the test that decided its pair, so it excludes zero exactly where the difference is
separable. Each holds with at least 95 %; that all hold together is promised only where nothing differs.
"""

from collections.abc import Collection, Sequence

from tracking.statistics.comparisons import Difference, Values, compare


def step_down(
    groups: Sequence[Values],
    pairs: Sequence[tuple[int, int]],
    *,
    apart: Collection[int] = (),
    looks: int = 1,
) -> list[Difference]:
    """Second mean minus first mean of every pair.

    Args:
        groups: the seeds' values of every configuration; those of a pair are not empty.
        pairs: positions of the two configurations of each comparison, fixed before the data.
        apart: positions of configurations that diverged: no interval, and no part in the common spread.
        looks: how often the sweep has been looked at and given more seeds, this time included.
    """
    judged = sum(one.separable is not None for one in compare(groups, pairs, apart=apart, looks=looks))
    found = compare(groups, pairs, apart=apart, looks=looks, size=max(1, judged))
    decided = 0
    while decided < (separable := sum(one.separable is True for one in found)) < judged:
        decided = separable
        again = compare(groups, pairs, apart=apart, looks=looks, size=judged - decided)
        found = [old if old.separable else new for old, new in zip(found, again, strict=True)]
    return found
