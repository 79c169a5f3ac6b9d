"""Interactive figures of comparisons: what a step in K buys, equal budgets, everything against the best."""

import math
from collections.abc import Sequence
from html import escape

from tracking.analysis.analysis import Analysis
from tracking.analysis.equal_budgets import Budget, on_final_scale
from tracking.analysis.gains import Gain
from tracking.report.charts.palette import GRID, HUES, MUTED, PAPER, faint, k_colours, k_legend
from tracking.report.charts.plots import Chart, Trace, layout, scale
from tracking.statistics.numbers import number

MOST_CURVES = 60
MOST_ROWS = 40


def rates(analysis: Analysis) -> Chart | None:
    """Nats gained per extra second at each step up in K, within the stratum that answers for K."""
    chosen = analysis.chosen
    steps = [g for g in analysis.gains if not g.whole and chosen is not None and g.stratum == chosen.label]
    steps = [gain for gain in steps if gain.rated]
    if not steps:
        return None
    values = [gain.rate or 0.0 for gain in steps]
    ends = [gain.rate_interval or (value, value) for gain, value in zip(steps, values, strict=True)]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [_step(gain) for gain in steps],
        "y": values,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "thickness": 1.4,
            "width": 5,
            "color": faint(HUES[0], 0.6),
            "array": [high - value for value, (_, high) in zip(values, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, ends, strict=True)],
        },
        "marker": {
            "color": [HUES[0] if gain.validation.separable else PAPER for gain in steps],
            "size": 11,
            "line": {"color": HUES[0], "width": 2},
        },
        "text": [f"{_step(gain)}<br>{number(gain.rate or 0.0)} nats per second" for gain in steps],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    zero = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 0,
        "line": {"color": MUTED, "width": 1, "dash": "dash"},
    }
    wide = min(values) > 0 and max(values) > 20 * min(values)
    reach = [math.log10(min(values) / 4), math.log10(max(values) * 4)] if wide else _reach(values, ends)
    kind = {"type": "log", "dtick": 1} if wide else {}
    vertical = scale("nats per extra second", range=reach, **kind)
    axes = {"xaxis": scale("step in K", type="category"), "yaxis": vertical}
    return Chart([trace], layout(**axes, shapes=[] if wide else [zero], height=360))


def _reach(values: Sequence[float], ends: Sequence[tuple[float, float]]) -> list[float]:
    """A linear axis of rates: zero, every rate, and as much of the bars as twice the largest rate."""
    most = 2 * max(map(abs, values)) or 1.0
    low = min(0.0, max(min(low for low, _ in ends), -most))
    high = max(0.0, min(max(high for _, high in ends), most))
    return [low - 0.06 * (high - low), high + 0.06 * (high - low)]


def _step(gain: Gain) -> str:
    return f"{gain.first.num_samples} → {gain.second.num_samples}"


def curves(analysis: Analysis, found: Budget) -> Chart:
    """Validation curves against epochs and against training seconds, with the common time."""
    colours, named = k_colours(analysis.table.num_samples), k_legend(analysis.table.num_samples)
    data: list[Trace] = []
    seen: set[int] = set()
    steady = [row for row in found.rows if not row.configuration.diverged] or found.rows
    trials = [trial for row in steady for trial in row.configuration.trials][:MOST_CURVES]
    for trial in trials:
        k, points = trial.config.objective.num_samples, on_final_scale(trial)
        for panel, column, at in (("", 0, "epoch %{x}"), ("2", 1, "%{x:.3g} s")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [point[column] for point in points],
                    "y": [point[2] for point in points],
                    "xaxis": f"x{panel}",
                    "yaxis": f"y{panel}",
                    "line": {"color": colours[k], "width": 1.4},
                    "legendgroup": str(k),
                    "customdata": [trial.key] * len(points),
                    "name": f"K = {k}",
                    "showlegend": k in named - seen and not panel,
                    "hovertemplate": f"{escape(trial.plan.name)}<br>{at}: %{{y:.2f}} nats<extra></extra>",
                }
            )
        seen.add(k)
    cut = [
        {
            "type": "line",
            "xref": x,
            "yref": f"y{x[1:]} domain",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": MUTED, "width": 1.2, "dash": "dash"},
        }
        for x, at in (("x", found.epochs), ("x2", found.seconds))
    ]
    shown = [on_final_scale(trial) for trial in trials]
    ends = [point.nll for points in shown for point in points[len(points) // 2 :]]
    room = 0.08 * (max(ends) - min(ends)) or 1.0
    view = {"range": [min(ends) - room, max(ends) + room]}
    made = layout(
        xaxis=scale("epochs", domain=[0, 0.46]),
        yaxis=scale("validation NLL, nats", **view),
        xaxis2=scale("training seconds", domain=[0.54, 1], anchor="y2"),
        yaxis2=scale("", anchor="x2", **view),
        shapes=cut,
        height=420,
    )
    return Chart(data, made)


def forest(analysis: Analysis) -> Chart | None:
    """Every other configuration minus the best, with the intervals that decide."""
    found = [(row, d, d.half) for row, d in analysis.against_best if d.half is not None]
    pairs = [(row, d) for row, d, _ in found][:MOST_ROWS][::-1]
    if not pairs:
        return None
    half = [half for _, _, half in found][:MOST_ROWS][::-1]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [d.value for _, d in pairs],
        "y": [escape(row.name) for row, _ in pairs],
        "showlegend": False,
        "error_x": {
            "type": "data",
            "array": half,
            "thickness": 1.4,
            "width": 4,
            "color": faint(HUES[0], 0.6),
        },
        "marker": {
            "color": [HUES[0] if d.separable else PAPER for _, d in pairs],
            "size": 9,
            "line": {"color": HUES[0], "width": 1.8},
        },
        "hovertemplate": "%{y}: %{x:.2f} nats above the best<extra></extra>",
    }
    zero = {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": 0,
        "x1": 0,
        "line": {"color": MUTED, "width": 1, "dash": "dash"},
    }
    axes = {
        "xaxis": scale("final validation NLL above the best, nats", gridcolor=GRID),
        "yaxis": scale("", type="category", tickfont={"size": 11}, range=[-0.7, len(pairs) - 0.3]),
    }
    return Chart([trace], layout(**axes, shapes=[zero], height=130 + 24 * len(pairs)))
