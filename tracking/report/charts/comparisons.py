"""Interactive figures of comparisons: what a step in K buys, equal budgets, everything against the best."""

from collections.abc import Sequence
from html import escape

from tracking.analysis.analysis import Analysis
from tracking.analysis.equal_budgets import Budget, on_final_scale
from tracking.analysis.gains import Gain
from tracking.report.charts.colouring import colouring
from tracking.report.charts.palette import GRID, HUES, MUTED, PAPER, faint
from tracking.report.charts.plots import Chart, Trace, layout, scale
from tracking.statistics.numbers import number

MOST_CURVES = 60
MOST_ROWS = 40


def steps_up(analysis: Analysis) -> Chart | None:
    """Nats gained at each step up in K, within the stratum that answers for K, with its extra seconds."""
    chosen = analysis.chosen
    steps = [g for g in analysis.gains if not g.whole and chosen is not None and g.stratum == chosen.label]
    steps = [gain for gain in steps if not gain.diverged]
    if not steps:
        return None
    names = [_step(gain) + ("" if gain.seconds is None else f"<br>{_extra(gain.seconds)}") for gain in steps]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "measured",
        "x": names,
        "y": [-gain.validation.value for gain in steps],
        "error_y": {
            "type": "data",
            "thickness": 1.4,
            "width": 5,
            "color": faint(HUES[0], 0.6),
            "array": [gain.validation.half or 0.0 for gain in steps],
        },
        "marker": {
            "color": [HUES[0] if gain.validation.separable else PAPER for gain in steps],
            "size": 11,
            "line": {"color": HUES[0], "width": 2},
        },
        "hovertemplate": "%{x}<br>%{y:.2f} nats<extra></extra>",
    }
    curve = _on_the_curve(analysis, steps, names)
    zero = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 0,
        "line": {"color": MUTED, "width": 1, "dash": "dash"},
    }
    axes = {
        "xaxis": scale("step in K", type="category"),
        "yaxis": scale("validation NLL gained, nats", rangemode="tozero"),
    }
    return Chart([trace, *curve], layout(**axes, shapes=[zero], height=380, showlegend=bool(curve)))


def _on_the_curve(analysis: Analysis, steps: Sequence[Gain], names: Sequence[str]) -> list[Trace]:
    """The same steps on the curve that levels off, where one fits."""
    found = analysis.saturation
    if found is None or not found.fits:
        return []
    gained = [
        float(found.at([gain.first.num_samples])[0] - found.at([gain.second.num_samples])[0])
        for gain in steps
    ]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "on the fitted curve",
            "x": list(names),
            "y": gained,
            "marker": {"color": MUTED, "size": 16, "symbol": "line-ew-open", "line": {"width": 3}},
            "hovertemplate": "%{x}<br>%{y:.2f} nats on the curve<extra></extra>",
        }
    ]


def _extra(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else ''}{number(seconds, 2)} s"


def _step(gain: Gain) -> str:
    return f"{gain.first.num_samples} → {gain.second.num_samples}"


def curves(analysis: Analysis, found: Budget) -> Chart:
    """Validation curves against epochs and against training seconds, with the common time."""
    groups, score = colouring(analysis), analysis.table.score
    value = "%{y:.2f} nats" if score.is_likelihood else "%{y:.3~g}"
    data: list[Trace] = []
    seen: set[str] = set()
    steady = [row for row in found.rows if not row.configuration.diverged] or found.rows
    trials = [trial for row in steady for trial in row.configuration.trials][:MOST_CURVES]
    for trial in trials:
        label, points = groups.of[trial.plan.configuration_key], on_final_scale(trial)
        for panel, column, at in (("", 0, "epoch %{x}"), ("2", 1, "%{x:.3g} s")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [point[column] for point in points],
                    "y": [point[2] for point in points],
                    "xaxis": f"x{panel}",
                    "yaxis": f"y{panel}",
                    "line": {"color": groups.colours[label], "width": 1.4},
                    "legendgroup": label,
                    "customdata": [trial.key] * len(points),
                    "name": escape(label),
                    "showlegend": label in groups.named - seen and not panel,
                    "hovertemplate": f"{escape(trial.plan.name)}<br>{at}: {value}<extra></extra>",
                }
            )
        seen.add(label)
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
        yaxis=scale(f"validation {score.title}", **view),
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
    score = analysis.table.score
    digits, unit = (".2f", " nats") if score.is_likelihood else (".3~g", "")
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
        "hovertemplate": f"%{{y}}: %{{x:{digits}}}{unit} above the best<extra></extra>",
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
        "xaxis": scale(f"final validation {score.name} above the best{score.in_unit}", gridcolor=GRID),
        "yaxis": scale("", type="category", tickfont={"size": 11}, range=[-0.7, len(pairs) - 0.3]),
    }
    return Chart([trace], layout(**axes, shapes=[zero], height=130 + 24 * len(pairs)))
