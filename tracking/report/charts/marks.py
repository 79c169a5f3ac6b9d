"""How an interactive figure shows a configuration: its mean, its bar or its seeds."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import NATS, SCORE, SECONDS, TEST_SCORE
from tracking.analysis.winner import median_of
from tracking.report.charts.axes import Axis, Measured, Series, with_gaps
from tracking.report.charts.palette import faint
from tracking.report.charts.plots import Trace
from tracking.report.charts.spread import bar, dots
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import number

UNITS = {
    SECONDS: " s",
    "active_units": " dimensions",
    "ess": " importance samples",
    "training_memory_bytes": " MiB",
}


def points(
    axis: Axis,
    one: Series,
    column: str,
    show: Callable[[float], str] = number,
    *,
    panel: int = 1,
    suffix: str = "",
    unit: float = 1.0,
    **style: Any,
) -> Trace | None:
    """One series of means with their bars; None where no configuration has the column."""
    measured = one.measured(column)
    found = with_gaps(measured) if one.joined and axis.path else list[Measured | None](measured)
    if not found:
        return None
    low, high = _arms(found, column, unit)
    trace: Trace = {
        "type": "scatter",
        "mode": "lines+markers" if one.joined and axis.path else "markers",
        "x": [None if point is None else _x(axis, point[0]) for point in found],
        "y": [None if point is None else point[1].mean / unit for point in found],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": high,
            "arrayminus": low,
            "thickness": 1.2,
            "width": 3,
            "color": faint(one.colour, 0.55),
            "visible": (any(high) or any(low)) and not one.crowded,
        },
        "text": ["" if point is None else hover(*point, column, show, unit) for point in found],
        "customdata": [None if point is None else median_of(point[0].trials).key for point in found],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": one.colour, "size": 8, "symbol": one.symbol},
        "line": {"color": one.colour, "width": 2},
        "name": escape(one.label + suffix),
        "legendgroup": one.label,
        "showlegend": bool(one.label + suffix),
        **_axes(panel),
    }
    return {**trace, **style}


def _arms(found: Sequence[Measured | None], column: str, unit: float) -> tuple[list[float], list[float]]:
    """How far the bars reach below and above the means; 0 without a bar."""
    arms = []
    for point in found:
        ends = None if point is None else bar(point[0], column, point[1])
        if point is None or ends is None:
            arms.append((0.0, 0.0))
        else:
            mean = point[1].mean
            arms.append(((mean - ends[0]) / unit, (ends[1] - mean) / unit))
    return [low for low, _ in arms], [high for _, high in arms]


def seeds(axis: Axis, one: Series, column: str, *, panel: int = 1, unit: float = 1.0) -> list[Trace]:
    """The single seeds of configurations with two, faint; no trace where there is none or points crowd."""
    found = [(row, value) for row in one.rows for value in dots(row, column)]
    if not found or one.crowded:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "hoverinfo": "skip",
            "showlegend": False,
            "x": [_x(axis, row) for row, _ in found],
            "y": [value / unit for _, value in found],
            "marker": {"color": faint(one.colour, 0.45), "size": 5},
            "legendgroup": one.label,
            **_axes(panel),
        }
    ]


def hover(
    row: Configuration,
    estimate: Estimate,
    column: str,
    show: Callable[[float], str] = number,
    unit: float = 1.0,
) -> str:
    """What a point says: configuration, mean, interval, unit, seeds and trials."""
    lines = [f"<b>{escape(row.name)}</b>", show(estimate.mean / unit)]
    if estimate.low is not None and estimate.high is not None:
        lines[1] += f" [{show(estimate.low / unit)}, {show(estimate.high / unit)}]"
    likelihood = column in NATS or (column in (SCORE, TEST_SCORE) and row.evidence != "none")
    lines[1] += UNITS.get(column, " nats" if likelihood else "")
    lines.append(f"{len(row.trials)} seed{'s' * (len(row.trials) > 1)}: " + ", ".join(_trials(row)))
    return "<br>".join(lines)


def _x(axis: Axis, row: Configuration) -> float | str:
    return axis.x(row) if axis.path else escape(str(axis.x(row)))


def _axes(panel: int) -> dict[str, str]:
    which = "" if panel == 1 else str(panel)
    return {"xaxis": f"x{which}", "yaxis": f"y{which}"}


def _trials(row: Configuration) -> list[str]:
    shown = [f"s{trial.config.seed} {trial.key[:8]}" for trial in row.trials[:5]]
    return [*shown, "…"] if len(row.trials) > 5 else shown
