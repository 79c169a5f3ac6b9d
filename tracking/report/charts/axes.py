"""The horizontal axis of the figures, and which points belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import K_PATH, Configuration, Table
from tracking.analysis.trials.columns import SCORE
from tracking.report.charts.palette import HUES, OTHERS, SYMBOLS
from tracking.statistics.intervals import Estimate

MOST_LINES = 12
MOST_BARS = 40
MOST_CATEGORIES = 60
Measured = tuple[Configuration, Estimate]


@dataclass(frozen=True)
class Series:
    """Configurations that are drawn alike.

    Attributes:
        label: for the legend; empty where there is one series only.
        rows: the configurations, in the order of the axis.
        colour: ``#rrggbb``.
        symbol: plotly's marker symbol.
        joined: whether a line joins the points, because they differ in K alone.
    """

    label: str
    rows: tuple[Configuration, ...]
    colour: str
    symbol: str = "circle"
    joined: bool = True

    @property
    def crowded(self) -> bool:
        """Whether bars and single seeds would only blacken the figure."""
        return not self.joined and len(self.rows) > MOST_BARS

    def measured(self, column: str) -> list[Measured]:
        """The configurations that have the column, each with its estimate."""
        return [(row, found) for row in self.rows if (found := row.estimate(column)) is not None]


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of everything that is drawn against K, and the series on it.

    Attributes:
        path: the parameter on it; None for the configurations themselves, best first.
        series: what is drawn.
        hidden: configurations left out because the axis has no room for them.
    """

    path: str | None
    series: tuple[Series, ...]
    hidden: int = 0

    @property
    def rows(self) -> tuple[Configuration, ...]:
        """Everything that is drawn."""
        return tuple(row for one in self.series for row in one.rows)

    @property
    def detailed(self) -> tuple[Configuration, ...]:
        """What is drawn with its bar or its single seeds."""
        return tuple(row for one in self.series if not one.crowded for row in one.rows)

    @property
    def title(self) -> str:
        """The axis's title."""
        if self.path is None:
            return ""
        return "K, importance samples of a training step" if self.by_k else self.path

    @property
    def by_k(self) -> bool:
        """Whether it is K."""
        return self.path == K_PATH

    @property
    def by_lines(self) -> bool:
        """Whether the series' colours tell most configurations apart, and not K's."""
        return not self.by_k or 2 * sum(len(one.rows) for one in self.series if one.joined) >= len(self.rows)

    @property
    def logarithmic(self) -> bool:
        """Whether it is best seen on a logarithmic scale: K always, anything else if it spans a decade."""
        values = [self.x(row) for row in self.rows]
        numbers = [value for value in values if not isinstance(value, str)]
        return self.by_k or (bool(numbers) and min(numbers) > 0 and max(numbers) >= 10 * min(numbers))

    def x(self, row: Configuration) -> float | str:
        """Where a configuration stands."""
        if self.path is None:
            return row.name
        return row.num_samples if self.by_k else float(row.parameters[self.path])

    @property
    def ticks(self) -> list[float]:
        """The values that get a tick: those that do not run into the one before on a logarithmic axis."""
        values = {self.x(row) for row in self.rows}
        kept: list[float] = []
        for value in sorted(value for value in values if not isinstance(value, str)):
            if not kept or value >= kept[-1] * 1.25:
                kept.append(value)
        return kept


def with_gaps(found: Sequence[Measured]) -> list[Measured | None]:
    """The points of a line; None, where it breaks, on either side of a configuration that diverged."""
    line: list[Measured | None] = []
    last: Configuration | None = None
    for row, estimate in found:
        if last is not None and (last.diverged or row.diverged):
            line.append(None)
        line.append((row, estimate))
        last = row
    return line


def axis_of(analysis: Analysis) -> Axis:
    """K if two K's or more are complete, else the one number that is varied, else the configurations.

    K's of different models are no axis, unless some differ in K alone.
    """
    table = analysis.table
    lines = [stratum for stratum in analysis.strata if len(stratum.configurations) > 1]
    if len(table.num_samples) < 2 or (analysis.kinds and not lines):
        return _without_k(table)
    if not lines or len(lines) > MOST_LINES:
        return Axis(K_PATH, _too_many(analysis))
    loose = tuple(row for s in analysis.strata if len(s.configurations) == 1 for row in s.configurations)
    series = [
        Series(stratum.label, stratum.configurations, *_style(index)) for index, stratum in enumerate(lines)
    ]
    if loose:
        series.append(Series("no second K", loose, OTHERS, "circle-open", joined=False))
    return Axis(K_PATH, tuple(series))


def _without_k(table: Table) -> Axis:
    rows, paths = table.configurations, table.distinct_paths
    if len(paths) == 1 and all(_is_number(row.parameters.get(paths[0])) for row in rows):
        ordered = tuple(sorted(rows, key=lambda row: float(row.parameters[paths[0]])))
        return Axis(paths[0], (Series("", ordered, HUES[0]),))
    ranked = sorted(rows, key=lambda row: row.mean(SCORE) or 0.0)
    shown = tuple(ranked[:MOST_CATEGORIES])
    return Axis(None, (Series("", shown, HUES[0], joined=False),), len(ranked) - len(shown))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _too_many(analysis: Analysis) -> tuple[Series, ...]:
    """All configurations as points, and the best one's stratum as the one line."""
    chosen = analysis.chosen
    in_line: Sequence[Configuration] = chosen.configurations if chosen else ()
    joined = {id(row) for row in in_line}
    rest = tuple(row for row in analysis.table.configurations if id(row) not in joined)
    series = (
        [Series("every other configuration" if chosen else "", rest, OTHERS, joined=False)] if rest else []
    )
    if chosen:
        series.append(Series(chosen.label, chosen.configurations, HUES[0]))
    return tuple(series)


def _style(index: int) -> tuple[str, str]:
    return HUES[index % len(HUES)], SYMBOLS[index % len(SYMBOLS)]
