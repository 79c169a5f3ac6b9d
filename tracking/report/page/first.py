"""The first screen: the answer, the picture of it, and a table of at most six rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.records.comparable.score import EVIDENCE, Score
from tracking.report.charts.first.frontier import Frontier, frontier
from tracking.report.charts.first.ladder import Ladder, ladder
from tracking.report.page.blocks import Cell, Table, estimate_cell
from tracking.report.page.verdicts import verdict_cell
from tracking.report.words.answers.models import against, asked, subjects
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import ends

MOST_ROWS, MOST_MODELS = 6, 12
WIDE, NARROW = (600, 400), (356, 330)


SHAPES = {"estimate": "estimate, −L", "bound": "upper bound", "exact": "exact", "none": "no likelihood"}
Picture = Frontier | Ladder


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
    pictures: Sequence[Picture]
    table: Table
    note: str
    taken: bool

    @property
    def shapes(self) -> Sequence[tuple[str, str]]:
        """The marks of a ladder with what they mean; none where there is only one."""
        drawn = self.pictures[0] if self.pictures else None
        found = drawn.shapes if isinstance(drawn, Ladder) and len(drawn.shapes) > 1 else ()
        return [(shape, SHAPES[shape]) for shape in found]


def first(analysis: Analysis, sentences: Sequence[str]) -> First:
    """The first screen of one table."""
    chosen = taken(analysis)
    drawn: list[Picture]
    if asked(analysis):
        drawn = [ladder(analysis, chosen, width) for width, _ in (WIDE, NARROW)]
    else:
        found = (frontier(analysis, chosen, *size) for size in (WIDE, NARROW))
        drawn = [one for one in found if one is not None]
    return First(sentences, drawn, _table(analysis), _note(analysis), chosen is not None)


def taken(analysis: Analysis) -> Configuration | None:
    """The configuration that is recommended."""
    if analysis.recommendation is not None:
        return analysis.recommendation.chosen
    if not asked(analysis):
        return None
    shown = [found.separable for _, row in subjects(analysis)[1:] if (found := against(analysis, row))]
    return analysis.best_row if shown and all(shown) else None


def _table(analysis: Analysis) -> Table:
    rows, label = shown_rows(analysis)
    by_k, score = analysis.chosen is not None and not asked(analysis), analysis.table.score
    chosen = taken(analysis)
    names = {id(row): name for name, row in subjects(analysis)} if asked(analysis) else {}
    what = "K" if by_k else "model" if analysis.kinds else "configuration"
    head = [what, f"validation {score.title}", "training, s", f"above the best{score.in_unit}"]
    cells = [_row(analysis, row, by_k, names.get(id(row), row.name)) for row in rows]
    marked = next((index for index, row in enumerate(rows) if row is chosen), None)
    return Table([*head, "verdict", "runs"], cells, marked, label)


def shown_rows(analysis: Analysis) -> tuple[list[Configuration], str]:
    """At most six configurations, and what they have in common: all but K, where two differ in K alone.

    Where models vary, the best configuration of at most twelve of them.

    Of more than six K's: the ends, the best and the recommended one, then those between, evenly.
    """
    chosen = analysis.chosen
    if asked(analysis):
        return [row for _, row in subjects(analysis)][:MOST_MODELS], ""
    if chosen is None:
        ranked = sorted(analysis.table.configurations, key=lambda row: row.mean(SCORE) or 0.0)
        return ranked[:MOST_ROWS], ""
    line = list(chosen.configurations)
    wanted = [line[0], line[-1], taken(analysis), analysis.best_row]
    kept = {id(row) for row in wanted if row is not None and row in line}
    last = len(line) - 1
    for step in range(MOST_ROWS):
        if len(kept) < MOST_ROWS:
            kept.add(id(line[round(step * last / (MOST_ROWS - 1))]))
    return [row for row in line if id(row) in kept], chosen.label


def _row(analysis: Analysis, row: Configuration, by_k: bool, name: str) -> list[Cell]:
    return [
        Cell(str(row.num_samples), sort=float(row.num_samples)) if by_k else Cell(name),
        _score(analysis, row),
        estimate_cell(row.estimate(SECONDS)),
        *_against(analysis, row),
        Cell("", runs=[(f"s{trial.config.seed}", trial.key) for trial in row.trials[:MOST_ROWS]]),
    ]


def _score(analysis: Analysis, row: Configuration) -> Cell:
    """The score, and what it is where not all are alike."""
    found, score = row.estimate(SCORE), analysis.table.score
    assert found is not None  # every configuration of a table has it
    several = len({one.evidence for one in analysis.table.configurations}) > 1
    shown = score.spread(found.mean, ends(found))
    return Cell(shown, EVIDENCE[row.evidence] if several else "", found.mean)


def _against(analysis: Analysis, row: Configuration) -> list[Cell]:
    """The difference to the best and its verdict."""
    if row is analysis.best_row:
        shown = [Cell("–", sort=0.0), Cell("lowest", tag="none")]
    else:
        found = next(one for other, one in analysis.against_best if other is row)
        score = analysis.table.score
        shown = [_difference(found, score), verdict_cell(found, score, bool(row.diverged))]
    if row is taken(analysis):
        shown[1] = Cell("take this", shown[1].shown, tag="taken")
    return shown


def _difference(found: Difference, score: Score) -> Cell:
    return Cell(score.signed(found.value), score.between(ends(found)), found.value)


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
