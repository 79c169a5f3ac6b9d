"""What stands on the horizontal axis, and which points belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.report.analysis import Analysis
from tracking.report.palette import HUES, SYMBOLS
from tracking.report.tables import Configuration

MOST_LINES = 12
MOST_CATEGORIES = 60


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


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of everything that is drawn against K, and the series on it.

    Attributes:
        by_k: whether it is K; else it is the configurations themselves, best first.
        series: what is drawn.
        hidden: configurations left out because the axis has no room for them.
    """

    by_k: bool
    series: tuple[Series, ...]
    hidden: int = 0

    @property
    def title(self) -> str:
        """The axis's title."""
        return "K, importance samples of a training step" if self.by_k else ""

    def x(self, row: Configuration) -> int | str:
        """Where a configuration stands."""
        return row.num_samples if self.by_k else row.name

    @property
    def ticks(self) -> list[int]:
        """The K's that get a tick: those that do not run into the one before on a logarithmic axis."""
        found = sorted({row.num_samples for one in self.series for row in one.rows}) if self.by_k else []
        kept: list[int] = []
        for k in found:
            if not kept or k >= kept[-1] * 1.25:
                kept.append(k)
        return kept


def axis_of(analysis: Analysis) -> Axis:
    """K if two K's or more are complete, else the configurations."""
    table = analysis.table
    if len(table.num_samples) < 2:
        ranked = sorted(table.configurations, key=lambda row: row.mean("val_nll_final") or 0.0)
        shown = tuple(ranked[:MOST_CATEGORIES])
        return Axis(False, (Series("", shown, HUES[0], joined=False),), len(ranked) - len(shown))
    lines = [stratum for stratum in analysis.strata if len(stratum.configurations) > 1]
    if not lines or len(lines) > MOST_LINES:
        return Axis(True, _too_many(analysis))
    loose = tuple(row for s in analysis.strata if len(s.configurations) == 1 for row in s.configurations)
    series = [
        Series(stratum.label, stratum.configurations, *_style(index)) for index, stratum in enumerate(lines)
    ]
    if loose:
        series.append(Series("alone in what it varies", loose, "#9aa3af", "circle-open", joined=False))
    return Axis(True, tuple(series))


def _too_many(analysis: Analysis) -> tuple[Series, ...]:
    """All configurations as points, and the best one's stratum as the one line."""
    chosen = analysis.chosen
    in_line: Sequence[Configuration] = chosen.configurations if chosen else ()
    rest = tuple(row for row in analysis.table.configurations if row not in in_line)
    series = (
        [Series("every other configuration" if chosen else "", rest, "#9aa3af", joined=False)] if rest else []
    )
    if chosen:
        series.append(Series(chosen.label, chosen.configurations, HUES[0]))
    return tuple(series)


def _style(index: int) -> tuple[str, str]:
    return HUES[index % len(HUES)], SYMBOLS[index // len(HUES) % len(SYMBOLS)]
