"""What may be said about a difference, as a label that is not told by its colour alone."""

from tracking.report.page.blocks import Cell
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import between, ends, signed


def difference_cells(found: Difference, diverged: bool) -> list[Cell]:
    """A difference in nats, lower being better, and its verdict."""
    return [Cell(signed(found.value), between(ends(found)), found.value), verdict_cell(found, diverged)]


def verdict_cell(found: Difference, diverged: bool) -> Cell:
    """Better, worse, not separable, or why nothing can be said."""
    if diverged:
        return Cell("diverged", tag="none")
    if found.separable is None:
        return Cell("no interval", tag="none")
    if not found.separable:
        return Cell("not separable", tag="open")
    return Cell("better", tag="better") if found.value < 0 else Cell("worse", tag="worse")
