"""Interactive figures over the whole space: Pareto front, parallel coordinates, importance."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import K_PATH, Configuration, text
from tracking.analysis.strata import short_path
from tracking.analysis.trials.columns import SCORE, SECONDS, TEST_SCORE
from tracking.analysis.winner import median_of
from tracking.records.comparable.score import Score
from tracking.report.charts.axes import MOST_BARS
from tracking.report.charts.colouring import colouring
from tracking.report.charts.marks import hover
from tracking.report.charts.palette import HUES, INK, MUTED, PAPER, colour_scale, faint
from tracking.report.charts.plots import Chart, Trace, layout, scale
from tracking.report.charts.spread import bar, dots, view
from tracking.statistics.factorial import Share
from tracking.statistics.numbers import number


def pareto(analysis: Analysis) -> Chart:
    """Mean training seconds and mean final validation score, the front joined by a staircase."""
    groups, score = colouring(analysis), analysis.table.score
    crowded = len(analysis.table.configurations) > MOST_BARS
    taken = None if analysis.recommendation is None else analysis.recommendation.chosen
    shown = [row for row in analysis.table.configurations if row.mean(SECONDS) is not None]
    data: list[Trace] = []
    front = [_place(row) for row in analysis.front]
    if len(front) > 1:
        steps = {"color": MUTED, "width": 1.5, "shape": "hv", "dash": "dot"}
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [x for x, _ in front],
                "y": [y for _, y in front],
                "line": steps,
                "name": "Pareto front",
                "hoverinfo": "skip",
            }
        )
    for label in groups.labels:
        rows, colour = [row for row in shown if groups.of[row.key] == label], groups.colours[label]
        if not crowded:
            data += _seeds(rows, colour, label)
        places = [_place(row) for row in rows]
        on_front = [any(row is other for other in analysis.front) for row in rows]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": escape(label),
                "showlegend": label in groups.named,
                "legendgroup": label,
                "x": [x for x, _ in places],
                "y": [y for _, y in places],
                "error_x": _error(rows, SECONDS, colour, crowded),
                "error_y": _error(rows, SCORE, colour, crowded),
                "marker": {
                    "color": colour,
                    "size": [
                        18 if row is taken else 12 if on else 8
                        for row, on in zip(rows, on_front, strict=True)
                    ],
                    "symbol": ["star" if row is taken else "circle" for row in rows],
                    "line": {"color": INK, "width": [1.5 if on else 0 for on in on_front]},
                },
                "text": [_pareto_hover(row, score) for row in rows],
                "customdata": [median_of(row.trials).key for row in rows],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    axes = {
        "xaxis": scale("training seconds", type="log", range=_decades(shown)),
        "yaxis": scale(f"final validation {score.title}", range=view(shown, (SCORE,))),
    }
    return Chart(data, layout(**axes, height=440))


def _decades(rows: Sequence[Configuration]) -> list[float]:
    """The range of a logarithmic axis of seconds that holds all means, seeds and bars."""
    low, high = view(rows, (SECONDS,))
    least = min((value for row in rows for value in row.values(SECONDS) if value > 0), default=1.0)
    return [math.log10(max(low, 0.7 * least)), math.log10(max(high, least))]


def _seeds(rows: Sequence[Configuration], colour: str, group: str) -> list[Trace]:
    """The single seeds of configurations with two."""
    pairs = [place for row in rows for place in zip(dots(row, SECONDS), dots(row, SCORE), strict=False)]
    return (
        [
            {
                "type": "scatter",
                "mode": "markers",
                "hoverinfo": "skip",
                "showlegend": False,
                "legendgroup": group,
                "x": [x for x, _ in pairs],
                "y": [y for _, y in pairs],
                "marker": {"color": faint(colour, 0.45), "size": 5},
            }
        ]
        if pairs
        else []
    )


def _place(row: Configuration) -> tuple[float, float]:
    return row.mean(SECONDS) or 0.0, row.mean(SCORE) or 0.0


def _pareto_hover(row: Configuration, score: Score) -> str:
    estimate = row.estimate(SCORE)
    assert estimate is not None  # every configuration of a table has it
    return f"{hover(row, estimate, score.column, score.show)}<br>{number(row.mean(SECONDS) or 0.0)} s"


def _error(rows: Sequence[Configuration], column: str, colour: str, crowded: bool) -> dict[str, Any]:
    means = [row.mean(column) or 0.0 for row in rows]
    bars = [bar(row, column, row.estimate(column)) for row in rows]
    low = [0.0 if b is None else mean - b[0] for b, mean in zip(bars, means, strict=True)]
    high = [0.0 if b is None else b[1] - mean for b, mean in zip(bars, means, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": high,
        "arrayminus": low,
        "visible": any(high) and not crowded,
        "thickness": 1,
        "width": 3,
        "color": faint(colour, 0.45),
    }


def parallel_coordinates(analysis: Analysis) -> Chart:
    """One line a configuration through everything that is varied and what came of it."""
    table = analysis.table
    rows = [row for row in table.steady if row.mean(SECONDS) is not None]
    paths = sorted(table.distinct_paths, key=lambda path: path != K_PATH)
    dimensions = [_dimension(short_path(path), [row.parameters.get(path) for row in rows]) for path in paths]
    for label, column in (
        ("train s", SECONDS),
        ("active units", "active_units"),
        (f"test {table.score.name}", TEST_SCORE),
    ):
        values = [row.mean(column) for row in rows]
        if None not in values:
            dimensions.append(_dimension(label, values))
    scores, ranked = [row.mean(SCORE) or 0.0 for row in rows], f"validation {table.score.name}"
    dimensions.append(_dimension(ranked, scores))
    bar = {"title": {"text": ranked, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    line = {"color": scores, "colorscale": colour_scale(), "showscale": True, "colorbar": bar}
    trace: Trace = {
        "type": "parcoords",
        "dimensions": dimensions,
        "line": line,
        "labelfont": {"size": 12, "color": INK},
        "tickfont": {"size": 12, "color": INK},
        "rangefont": {"size": 1, "color": "rgba(0,0,0,0)"},
    }
    return Chart(
        [trace], layout(height=430, margin={"l": 70, "r": 30, "t": 60, "b": 30}, paper_bgcolor=PAPER)
    )


def _dimension(label: str, values: Sequence[Any]) -> dict[str, Any]:
    """A numeric axis, or one with a named tick for each level (numbers in a few levels are levels too)."""
    levels = sorted(set(values), key=lambda v: (isinstance(v, str), v)) if _sortable(values) else None
    numeric = levels is not None and all(isinstance(v, int | float) for v in levels)
    if numeric and (len(set(values)) > 8 or all(isinstance(v, float) for v in values)):
        return {"label": label, "values": list(values)}
    names = [text(v) for v in levels] if levels is not None else sorted({text(v) for v in values})
    return {
        "label": label,
        "values": [names.index(text(v)) for v in values],
        "tickvals": list(range(len(names))),
        "ticktext": [escape(name) or "—" for name in names],
        "range": [-0.2, max(0.2, len(names) - 0.8)],
    }


def _sortable(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def importance_bars(analysis: Analysis) -> Chart | None:
    """Shares of the variance between configurations with their intervals; None where they cannot be said."""
    shares = dict(reversed(list(analysis.importance.shares.items())[:MOST_BARS]))
    if not shares:
        return None
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": [share.value for share in shares.values()],
        "y": [escape(name) for name in shares],
        "marker": {"color": HUES[0]},
        "width": 0.55,
        **_share_bars(list(shares.values())),
    }
    title = f"share of the variance between configurations' mean validation {analysis.table.score.name}"
    axes = {
        "xaxis": scale(title, tickformat=".0%", range=[0, 1.04]),
        "yaxis": scale("", gridcolor="rgba(0,0,0,0)"),
    }
    return Chart([trace], layout(**axes, height=130 + 34 * len(shares)))


def _share_bars(shares: Sequence[Share]) -> dict[str, Any]:
    """The intervals of shares, drawn and in the hover text, where all have one."""
    bounds = [(s.value, s.low, s.high) for s in shares if s.low is not None and s.high is not None]
    if len(bounds) < len(shares):
        return {"hovertemplate": "%{y}: %{x:.0%}<extra></extra>"}
    return {
        "error_x": {
            "type": "data",
            "symmetric": False,
            "color": MUTED,
            "thickness": 1.4,
            "width": 5,
            "array": [max(0.0, high - value) for value, _, high in bounds],
            "arrayminus": [max(0.0, value - low) for value, low, _ in bounds],
        },
        "customdata": [[low, high] for _, low, high in bounds],
        "hovertemplate": "%{y}: %{x:.0%} [%{customdata[0]:.0%}, %{customdata[1]:.0%}]<extra></extra>",
    }
