"""The panels of the still picture."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.time_fit import TimeFit
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.records.comparable.score import Score
from tracking.report.charts.axes import Axis, Series, with_gaps
from tracking.report.charts.colouring import colouring
from tracking.report.charts.palette import INK, MUTED, TAKEN
from tracking.report.charts.spread import bar, dots, view
from tracking.report.stills.labels import place_labels
from tracking.report.words.time import beside
from tracking.statistics.numbers import listing, measured

MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "star": "*",
}
MOST_FORMULAS = 4


def draw_time(axes: Axes, analysis: Analysis, axis: Axis) -> None:
    """Training seconds against K, from zero, with the fitted lines, their bands and formulas."""
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
            axes.fill_between(grid, *band, color=colour, alpha=0.1, linewidth=0)
    _against(axes, axis, SECONDS, joined=False, logarithmic=False)
    for index, fit in enumerate(fits if len(fits) <= MOST_FORMULAS else []):
        axes.text(
            0.03,
            0.97 - 0.075 * index,
            literal(formula(fit)),
            transform=axes.transAxes,
            fontsize=9,
            va="top",
            color=colours.get(fit.label, INK),
        )
    how = beside(axis.rows)
    axes.set_ylabel(f"seconds, {how}" if how else "seconds")
    axes.set_ylim(view(axis.rows, (SECONDS,), zero=True))


def formula(fit: TimeFit) -> str:
    """The line as ``t = 1.16 + 0.144·K s``."""
    line = fit.fit
    a = measured(line.intercept, line.interval("intercept"))[0]
    b = measured(abs(line.slope), _size(line.interval("slope")))[0]
    adjusted = f", adjusted for {listing(fit.adjusted_for, 3)}" if fit.adjusted_for else ""
    return f"t = {a} {'−' if line.slope < 0 else '+'} {b}·K s{adjusted}"


def _size(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    return ends if ends is None or ends[0] + ends[1] >= 0 else (-ends[1], -ends[0])


def draw_score(axes: Axes, axis: Axis, score: Score) -> None:
    """Final validation score, at few samples hollow."""
    _against(axes, axis, "val_nll_few", few=True)
    _against(axes, axis, SCORE)
    axes.set_ylabel(score.unit or "mean squared error")
    axes.set_ylim(view(axis.rows, (SCORE, "val_nll_few")))


def draw_units(axes: Axes, axis: Axis) -> None:
    """Active units, with the latent dimension where all configurations have the same."""
    _against(axes, axis, "active_units")
    low, high = view(axis.rows, ("active_units",))
    sizes = {row.trials[0].config.model.num_units for row in axis.rows}
    if len(sizes) == 1:
        most = min(sizes)
        high = max(high, most + 0.09 * (most - low))
        axes.axhline(most, color=MUTED, linewidth=1, linestyle="--", zorder=1)
        axes.annotate(
            f"all {most} latent dimensions",
            (0.01, most),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
        )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.set_ylabel("latent dimensions")
    axes.set_ylim(low, high)


def draw_front(axes: Axes, analysis: Analysis, axis: Axis) -> None:
    """Mean training seconds and validation score; the Pareto front ringed, each K or model named once."""
    rows = [row for row in axis.rows if row.mean(SECONDS) is not None]
    groups = colouring(analysis)
    front = {id(row) for row in analysis.front}
    taken = None if analysis.recommendation is None else analysis.recommendation.chosen
    for one in axis.series:
        shown = [row for row in one.rows if row.mean(SECONDS) is not None]
        if one.joined and axis.by_k:
            for steady, run in groupby(shown, key=lambda row: not row.diverged):
                if steady:  # the line breaks at a configuration that diverged
                    axes.plot(*_places(list(run)), color=one.colour, linewidth=1, alpha=0.35, zorder=1)
        for row in shown:
            colour = one.colour if axis.by_lines and not analysis.kinds else groups.colour(row)
            _front_point(axes, row, colour, id(row) in front, one.crowded)
    axes.step(*_places(analysis.front), where="post", color=MUTED, lw=1.1, ls=":", zorder=2)
    if taken is not None and taken.mean(SECONDS) is not None:
        axes.plot(*_places([taken]), "o", ms=15, mfc="none", mec=TAKEN, mew=2, zorder=5)
    x, (low, high) = view(rows, (SECONDS,)), view(rows, (SCORE,))
    axes.set(xlabel="training seconds", ylabel=f"validation {analysis.table.score.title}", xlim=x)
    axes.set_ylim(low - 0.07 * (high - low), high)  # room for labels below the front
    if analysis.kinds or len(analysis.table.num_samples) > 1:
        named = [(f"K={row.num_samples}", row) for row in analysis.front]
        if analysis.kinds:
            named = [(kind.label, kind.best) for kind in analysis.kinds if kind.best in rows]
        names = dict(named)  # of several of a K the last, which is the lowest
        labelled = _places(list(names.values()))
        words = [f"{name}{' (recommended)' * (row is taken)}" for name, row in names.items()]
        place_labels(axes, words, list(zip(*labelled, strict=True)), _places(rows))


def _places(rows: Sequence[Configuration]) -> tuple[list[float], list[float]]:
    x, y = ([row.mean(column) or 0.0 for row in rows] for column in (SECONDS, SCORE))
    return x, y


def _front_point(axes: Axes, row: Configuration, colour: str, ringed: bool, bare: bool) -> None:
    (x,), (y,) = _places([row])
    if not bare:
        seconds, scores = dots(row, SECONDS), dots(row, SCORE)
        if len(seconds) == len(scores):
            axes.plot(seconds, scores, ".", color=colour, alpha=0.4, markersize=4.5, zorder=2)
        ends = bar(row, SCORE, row.estimate(SCORE))
        if ends is not None:
            axes.plot([x, x], ends, color=colour, linewidth=1, alpha=0.7, zorder=2)
    axes.plot(
        [x],
        [y],
        "o",
        color=colour,
        markersize=8 if ringed else 5,
        zorder=4 if ringed else 3,
        markeredgecolor=INK if ringed else colour,
        markeredgewidth=1.3 if ringed else 0,
    )


def _against(
    axes: Axes, axis: Axis, column: str, *, joined: bool = True, few: bool = False, logarithmic: bool = True
) -> None:
    order = {id(row): place for place, row in enumerate(axis.rows)}
    for one in axis.series:
        found = one.measured(column)
        x = {id(row): order[id(row)] if axis.path is None else float(axis.x(row)) for row, _ in found}
        line = (":" if few else "-") if joined and one.joined and axis.path else ""
        style: dict[str, Any] = {"color": one.colour, "marker": marker(one), "linestyle": line, "zorder": 4}
        hollow = {"markerfacecolor": "white", "linewidth": 1, "markersize": 4, "zorder": 3} if few else {}
        points = with_gaps(found)
        axes.plot(
            [math.nan if point is None else x[id(point[0])] for point in points],
            [math.nan if point is None else point[1].mean for point in points],
            **{**style, "linewidth": 1.6, "markersize": 5, **hollow},
        )
        for row, estimate in [] if few or one.crowded else found:
            values, ends = dots(row, column), bar(row, column, estimate)
            axes.plot([x[id(row)]] * len(values), values, ".", color=one.colour, alpha=0.4, markersize=4.5)
            if ends is not None:
                axes.plot([x[id(row)]] * 2, ends, "_-", color=one.colour, linewidth=1, alpha=0.7)
    _across(axes, axis, logarithmic)


def _across(axes: Axes, axis: Axis, logarithmic: bool) -> None:
    if axis.path is None:
        _name_ticks(axes, axis.rows)
    elif logarithmic and axis.logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(axis.ticks, labels=[f"{tick:g}" for tick in axis.ticks])
        axes.minorticks_off()
    axes.set_xlabel(axis.title)


def _name_ticks(axes: Axes, rows: Sequence[Configuration]) -> None:
    if len(rows) > 15:
        axes.set_xticks([])
        return
    names = [literal(row.name if len(row.name) < 30 else row.name[:28] + "…") for row in rows]
    axes.set_xticks(range(len(rows)), labels=names, rotation=25, ha="right")


def marker(one: Series) -> str:
    """The series' symbol, as matplotlib names it."""
    return MARKERS.get(one.symbol.removesuffix("-open"), "o")


def literal(words: str) -> str:
    """Text without matplotlib's mathematics."""
    return words.replace("$", r"\$")
