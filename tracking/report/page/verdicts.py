"""What may be said about a difference, as a label that is not told by its colour alone."""

from tracking.analysis.differences import Power
from tracking.records.comparable.score import Score
from tracking.report.page.blocks import Cell
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import ends, plural


def difference_cells(
    found: Difference, score: Score, diverged: bool, power: Power | None = None
) -> list[Cell]:
    """A difference of scores, lower being better, and its verdict."""
    return [
        Cell(score.signed(found.value), score.between(ends(found)), found.value),
        verdict_cell(found, score, diverged, power),
    ]


def verdict_cell(found: Difference, score: Score, diverged: bool, power: Power | None = None) -> Cell:
    """Better, worse, not separable and what these seeds would have shown, or why nothing can be said."""
    if diverged:
        return Cell("diverged", tag="none")
    if found.separable is None:
        return Cell("no interval", tag="none")
    if not found.separable:
        return Cell("not separable", "" if power is None else _shown_from(power, score), tag="open")
    return Cell("better", tag="better") if found.value < 0 else Cell("worse", tag="worse")


def _shown_from(power: Power, score: Score) -> str:
    more = "over 200 more seeds" if power.more_seeds is None else plural(power.more_seeds, "more seed")
    return f"shown from {score.show(power.smallest)}; {more}"
