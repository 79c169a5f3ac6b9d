"""The first screen: the answer, the picture of it, and a table of at most six rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import SECONDS, Configuration
from tracking.report.charts.frontier import Frontier, frontier
from tracking.report.page.blocks import Cell, Table, estimate_cell
from tracking.report.page.verdicts import verdict_cell
from tracking.statistics.comparisons import Difference
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import between, ends, nats, signed

MOST_ROWS = 6
WIDE, NARROW = (600, 400), (356, 330)


@dataclass(frozen=True)
class First:
    """What stands on the first screen of a table.

    Attributes:
        sentences: the answer, the first of them alone in large type.
        pictures: the picture for a wide and for a narrow window; none where no time was measured.
        table: at most six rows.
        note: what the table's columns are.
        taken: whether a configuration is recommended.
    """

    sentences: Sequence[str]
    pictures: Sequence[Frontier]
    table: Table
    note: str
    taken: bool


def first(analysis: Analysis, sentences: Sequence[str]) -> First:
    """The first screen of one table."""
    chosen = taken(analysis)
    pictures = [frontier(analysis, chosen, *size) for size in (WIDE, NARROW)]
    drawn = [one for one in pictures if one is not None]
    return First(sentences, drawn, _table(analysis), _note(analysis), chosen is not None)


def taken(analysis: Analysis) -> Configuration | None:
    """The configuration that is recommended."""
    return None if analysis.recommendation is None else analysis.recommendation.chosen


def _table(analysis: Analysis) -> Table:
    rows, label = shown_rows(analysis)
    by_k = analysis.chosen is not None
    chosen = taken(analysis)
    head = ["K" if by_k else "configuration", "validation NLL, nats", "training, s", "above the best, nats"]
    cells = [_row(analysis, row, by_k) for row in rows]
    marked = next((index for index, row in enumerate(rows) if row is chosen), None)
    return Table([*head, "verdict", "runs"], cells, marked, label)


def shown_rows(analysis: Analysis) -> tuple[list[Configuration], str]:
    """At most six configurations, and what they have in common: all but K, where two differ in K alone.

    Of more than six K's: the ends, the best and the recommended one, then those between, evenly.
    """
    chosen = analysis.chosen
    if chosen is None:
        ranked = sorted(analysis.table.configurations, key=lambda row: row.mean("val_nll_final") or 0.0)
        return ranked[:MOST_ROWS], ""
    line = list(chosen.configurations)
    wanted = [line[0], line[-1], taken(analysis), analysis.best_row]
    kept = {id(row) for row in wanted if row is not None and row in line}
    last = len(line) - 1
    for step in range(MOST_ROWS):
        if len(kept) < MOST_ROWS:
            kept.add(id(line[round(step * last / (MOST_ROWS - 1))]))
    return [row for row in line if id(row) in kept], chosen.label


def _row(analysis: Analysis, row: Configuration, by_k: bool) -> list[Cell]:
    return [
        Cell(str(row.num_samples), sort=float(row.num_samples)) if by_k else Cell(row.name),
        _likelihood(row.estimate("val_nll_final")),
        estimate_cell(row.estimate(SECONDS)),
        *_against(analysis, row),
        Cell("", runs=[(f"s{trial.config.seed}", trial.key) for trial in row.trials[:MOST_ROWS]]),
    ]


def _likelihood(found: Estimate | None) -> Cell:
    assert found is not None  # every configuration of a table has it
    half = None if found.high is None else found.high - found.mean
    return Cell(nats(found.mean) + ("" if half is None else f" ± {nats(half)}"), sort=found.mean)


def _against(analysis: Analysis, row: Configuration) -> list[Cell]:
    """The difference to the best and its verdict."""
    if row is analysis.best_row:
        shown = [Cell("–", sort=0.0), Cell("lowest", tag="none")]
    else:
        found = next(one for other, one in analysis.against_best if other is row)
        shown = [_difference(found), verdict_cell(found, bool(row.diverged))]
    if row is taken(analysis):
        shown[1] = Cell("take this", shown[1].shown, tag="taken")
    return shown


def _difference(found: Difference) -> Cell:
    return Cell(signed(found.value), between(ends(found)), found.value)


def _note(analysis: Analysis) -> str:
    several = len(analysis.table.configurations)
    shown, label = shown_rows(analysis)
    words = f"{analysis.table.yardstick.description}."
    if analysis.replicated:
        words += " ± and brackets: 95 % intervals over seeds."
    if analysis.table.timed_on is not None:
        words += " Seconds are measured alone, with the interval of that measurement."
    if len(shown) < several:
        of = f" with {label}" if label else ""
        words += f" {len(shown)} of {several} configurations{of}; all are below."
    return words
