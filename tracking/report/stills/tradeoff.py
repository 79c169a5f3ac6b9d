"""Still pictures of the trade-off, for a README or a paper.

Drawn through figure objects, without pyplot's global state: a recorder draws them from a thread.
"""

from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tracking.analysis.analysis import Analysis
from tracking.report.charts.axes import Axis, axis_of
from tracking.report.charts.palette import GRID, INK, MUTED
from tracking.report.charts.spread import FEWEST_FOR_A_BAR
from tracking.report.stills.panels import draw_front, draw_score, draw_time, draw_units, literal, marker
from tracking.statistics.numbers import plural

SMALL, WIDEST = 8.5, 150  # points; characters that a row of the legend or of the subtitle has room for
HEAD, HEIGHT, ROW = 0.5, 7.8, 0.2  # inches


def draw_tradeoff(analysis: Analysis, title: str, path: Path) -> Path:
    """Four panels: time against K with its fit, what ranks, active units, Pareto front."""
    figure = Figure(figsize=(11, HEIGHT), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    (time, nll), (units, front) = figure.subplots(2, 2)
    score, ranked = analysis.table.score, f"Validation {analysis.table.score.name}"
    titles = ("Training time", ranked, "Active units", f"{ranked} against training time")
    for axes, words in zip((time, nll, units, front), titles, strict=True):
        dress(axes, words)
    axis = axis_of(analysis)
    draw_time(time, analysis, axis)
    draw_score(nll, axis, score)
    draw_units(units, axis)
    handles = [*_series(axis), *_key(analysis, axis)]
    rows = -(-sum(7 + len(str(one.get_label())) for one in handles) // WIDEST)
    figure.set_figheight(HEIGHT + ROW * rows)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=-(-len(handles) // rows),
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
    )
    _head(figure, analysis, title)
    draw_front(front, analysis, axis)  # last: it places labels, and so needs the layout
    figure.savefig(path)
    return path


def dress(axes: Axes, title: str) -> None:
    """The look that all panels share."""
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b9c0ca")
    axes.tick_params(colors=MUTED, labelsize=SMALL)
    axes.xaxis.label.set(color=MUTED, fontsize=9)
    axes.yaxis.label.set(color=MUTED, fontsize=9)


def _head(figure: Figure, analysis: Analysis, title: str) -> None:
    """The sweep's name and, in grey below it, what was measured."""
    rows = analysis.table.configurations
    counts = sorted({len(row.trials) for row in rows})
    seeds = plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    words = f"{analysis.table.yardstick.description}; {plural(len(rows), 'configuration')}, {seeds} each"
    if diverged := sum(bool(row.diverged) for row in rows):
        words = f"{diverged} diverged and may be beyond the axes; {words}"
    words = words if len(words) <= WIDEST else words[: WIDEST - 2] + " …"
    inch = 1 / figure.get_figheight()
    rest = {"rect": (0, 0, 1, 1 - HEAD * inch), "w_pad": 0.12, "h_pad": 0.12}
    figure.get_layout_engine().set(**rest)  # type: ignore[union-attr]
    style: dict[str, Any] = {"ha": "left", "va": "top", "parse_math": False}
    figure.text(0.011, 1 - 0.12 * inch, title, fontsize=13, fontweight="bold", color=INK, **style)
    figure.text(0.011, 1 - 0.38 * inch, words, fontsize=SMALL, color=MUTED, **style)


def _series(axis: Axis) -> list[Artist]:
    return [
        Line2D(
            [],
            [],
            color=one.colour,
            marker=marker(one),
            markersize=5,
            label=literal(one.label),
            linewidth=1.5 if one.joined else 0.0,
        )
        for one in axis.series
        if one.label
    ]


def _key(analysis: Analysis, axis: Axis) -> list[Artist]:
    """What filled, hollow, small and ringed points are."""
    rows, yardstick = analysis.table.configurations, analysis.table.yardstick
    counts = {len(row.trials) for row in axis.detailed}
    few = any(row.mean("val_nll_few") is not None for row in rows)
    style: dict[str, Any] = {"color": MUTED, "marker": "o", "markersize": 5, "linewidth": 1.2}
    key = []
    if few:
        key.append(Line2D([], [], **style, label=f"NLL at {yardstick.final_num_samples:,} samples"))
        hollow = {**style, "markerfacecolor": "white", "linestyle": ":"}
        key.append(Line2D([], [], **hollow, label=f"at {yardstick.few_num_samples:,} samples"))
    if 2 in counts:
        key.append(Line2D([], [], **{**style, "markersize": 3, "linewidth": 0}, alpha=0.6, label="one seed"))
    if any(count >= FEWEST_FOR_A_BAR for count in counts):
        bar = {**style, "marker": "|", "markersize": 7}
        key.append(Line2D([], [], **bar, label="95 % interval over seeds, cut off at the axis"))
    if analysis.front:
        ring = {**style, "markersize": 7, "markeredgecolor": INK, "linestyle": ":"}
        key.append(Line2D([], [], **ring, label="Pareto front"))
    return list(key)
