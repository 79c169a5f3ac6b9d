"""Still pictures of the trade-off, for a README or a paper.

Drawn through figure objects, without pyplot's global state: a recorder draws them from a thread.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tracking.report.analysis import Analysis
from tracking.report.axes import MOST_BARS, Axis, Series, axis_of
from tracking.report.palette import GRID, INK, MUTED, k_colours
from tracking.report.tables import Configuration
from tracking.report.words import listing, number

MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "cross": "P", "x": "X"}
SMALL = 8.5


def draw_tradeoff(analysis: Analysis, title: str, path: Path) -> Path:
    """Four panels: time against K with its fit, NLL at few and many samples, active units, Pareto front."""
    figure = Figure(figsize=(11, 7.6), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
    (time, nll), (units, front) = figure.subplots(2, 2)
    axis = axis_of(analysis)
    _time(time, analysis, axis)
    _nll(nll, analysis, axis)
    _against(units, axis, "active_units", "active units")
    _front(front, analysis)
    titles = ("Training time", "Validation NLL", "Active units", "Training time and validation NLL")
    for axes, words in zip((time, nll, units, front), titles, strict=True):
        dress(axes, words)
    labelled = [one for one in axis.series if one.label]
    if labelled:
        handles = [_handle(one) for one in labelled]
        columns = max(1, min(4, len(labelled), 150 // (8 + max(len(one.label) for one in labelled))))
        figure.set_figheight(7.6 + 0.2 * (-(-len(labelled) // columns)))
        figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL
        )
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK, parse_math=False)
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


def _handle(one: Series) -> object:
    from matplotlib.lines import Line2D

    line = 1.5 if one.joined else 0.0
    return Line2D([], [], color=one.colour, marker=_marker(one), linewidth=line, label=_literal(one.label))


def _time(axes: Axes, analysis: Analysis, axis: Axis) -> None:
    colours = {one.label: one.colour for one in axis.series}
    fits = [fit for fit in analysis.fits if fit.label in colours] if axis.by_k else []
    if not fits and analysis.adjusted is not None:
        fits = [analysis.adjusted]
    for fit in fits:
        colour = colours.get(fit.label, INK)
        grid = np.linspace(0, max(fit.num_samples), 41).tolist()
        axes.plot(grid, fit.fit.at(grid), color=colour, linewidth=1.3, zorder=3)
        band = fit.fit.band(grid)
        if band is not None:
            axes.fill_between(grid, *band, color=colour, alpha=0.13, linewidth=0)
    _against(axes, axis, "train_seconds", "seconds", joined=False, logarithmic=False)
    if len(fits) == 1:
        line = fits[0].fit
        words = f"t = {number(line.intercept)} s + {number(line.slope)} s · K"
        words += f", adjusted for {listing(fits[0].adjusted_for, 3)}" if fits[0].adjusted_for else ""
        axes.text(0.03, 0.06, _literal(words), transform=axes.transAxes, color=INK, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.12)


def _nll(axes: Axes, analysis: Analysis, axis: Axis) -> None:
    yardstick = analysis.table.yardstick
    _against(axes, axis, "val_nll_few", "nats", dotted=True)
    _against(axes, axis, "val_nll_final", "nats")
    words = f"filled: −L at {yardstick.final_num_samples:,} samples, hollow: at {yardstick.few_num_samples:,}"
    axes.margins(y=0.12)
    axes.text(0.97, 0.97, words, transform=axes.transAxes, color=MUTED, fontsize=8, va="top", ha="right")


def _against(
    axes: Axes,
    axis: Axis,
    column: str,
    unit: str,
    *,
    joined: bool = True,
    dotted: bool = False,
    logarithmic: bool = True,
) -> None:
    order = {id(row): place for place, row in enumerate(row for one in axis.series for row in one.rows)}
    for one in axis.series:
        found = [(row, e) for row in one.rows if (e := row.estimate(column)) is not None]
        x = [order[id(row)] if axis.path is None else float(axis.x(row)) for row, _ in found]
        half = [0.0 if e.high is None else e.high - e.mean for _, e in found]
        style = (":" if dotted else "-") if joined and one.joined and axis.path else ""
        bars = any(half) and (one.joined or len(found) <= MOST_BARS)
        axes.errorbar(
            x, [e.mean for _, e in found], yerr=half if bars else None, color=one.colour, linewidth=1.5,
            marker=_marker(one), markersize=4.5, markerfacecolor="white" if dotted else one.colour,
            elinewidth=1, capsize=2, linestyle=style,
        )  # fmt: skip
    if axis.path is None:
        _name_ticks(axes, [row for one in axis.series for row in one.rows])
    elif logarithmic and axis.logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(axis.ticks, labels=[f"{tick:g}" for tick in axis.ticks])
        axes.minorticks_off()
    axes.set(xlabel="K" if axis.by_k else axis.title, ylabel=unit)


def _name_ticks(axes: Axes, rows: list[Configuration]) -> None:
    if len(rows) > 15:
        axes.set_xticks([])
        return
    names = [_literal(row.name if len(row.name) < 30 else row.name[:28] + "…") for row in rows]
    axes.set_xticks(range(len(rows)), labels=names, rotation=25, ha="right")


def _front(axes: Axes, analysis: Analysis) -> None:
    colours = k_colours(analysis.table.num_samples)
    places = [(row.mean("train_seconds") or 0.0, row.mean("val_nll_final") or 0.0) for row in analysis.front]
    axes.step([x for x, _ in places], [y for _, y in places], where="post", color=MUTED, lw=1.1, ls=":")
    for row in analysis.table.configurations:
        x, y = row.mean("train_seconds"), row.estimate("val_nll_final")
        if x is None or y is None:
            continue
        ringed = any(row is other for other in analysis.front)
        crowded = len(analysis.table.configurations) > MOST_BARS
        half = None if y.high is None or crowded else y.high - y.mean
        axes.errorbar(
            [x], [y.mean], yerr=half, color=colours[row.num_samples], marker="o",
            markersize=7 if ringed else 5,
            markeredgecolor=INK if ringed else colours[row.num_samples], elinewidth=1, capsize=2,
        )  # fmt: skip
        if ringed and len(analysis.front) <= 8:
            axes.annotate(
                f"K={row.num_samples}", (x, y.mean), xytext=(6, 5), textcoords="offset points",
                fontsize=8, color=MUTED,
            )  # fmt: skip
    axes.margins(x=0.08)
    axes.set(xlabel="training seconds", ylabel="nats")


def _marker(one: Series) -> str:
    return MARKERS.get(one.symbol.removesuffix("-open"), "o")


def _literal(words: str) -> str:
    """Text without matplotlib's mathematics."""
    return words.replace("$", r"\$")
