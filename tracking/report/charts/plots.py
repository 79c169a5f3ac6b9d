"""What every interactive figure is made of, as plain plotly data."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tracking.report.charts.axes import Axis
from tracking.report.charts.palette import AXIS, GRID, INK, MUTED

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
Trace = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A plotly figure: ``data`` and ``layout`` as ``Plotly.newPlot`` takes them."""

    data: list[Trace]
    layout: dict[str, Any]


def layout(**extra: Any) -> dict[str, Any]:
    """The layout that all figures share."""
    return {
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 64, "r": 20, "t": 34, "b": 54},
        "height": 400,
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}},
        "legend": {
            "orientation": "h",
            "yref": "container",
            "yanchor": "bottom",
            "y": 0,
            "x": 0,
            "font": {"size": 12},
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": AXIS, "activecolor": MUTED},
        **extra,
    }


def with_legend(chart: Chart) -> dict[str, Any]:
    """The layout with its legend's width in ``meta``, from which the page makes room for its rows."""
    labels = [trace.get("name", "") for trace in chart.data if trace.get("showlegend", "name" in trace)]
    if len(labels) < 2:
        return {**chart.layout, "showlegend": False, "meta": {"legend": 0}}
    return {
        **chart.layout,
        "showlegend": True,
        "meta": {"legend": sum(45 + 7 * len(label) for label in labels)},
    }


def scale(title: str, **extra: Any) -> dict[str, Any]:
    """One axis."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": MUTED}, "standoff": 8},
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": AXIS,
        "ticks": "outside",
        "tickcolor": AXIS,
        "ticklen": 4,
        "automargin": True,
        "exponentformat": "power",
        **extra,
    }


def across(axis: Axis, logarithmic: bool = True, **extra: Any) -> dict[str, Any]:
    """The horizontal axis."""
    if axis.path is None:
        names = [escape(str(axis.x(row))) for one in axis.series for row in one.rows]
        small = {"tickangle": -35, "tickfont": {"size": 10}} if len(names) > 4 else {}
        return scale("", type="category", categoryorder="array", categoryarray=names, **small, **extra)
    ticks = axis.ticks
    if logarithmic and axis.logarithmic:
        shown = [f"{tick:g}" for tick in ticks]
        return scale(axis.title, type="log", tickvals=ticks, ticktext=shown, **extra)
    return scale(axis.title, rangemode="tozero" if axis.by_k else "normal", **extra)


def panels(titles: Sequence[str], axis: Axis, units: Sequence[str], **extra: Any) -> dict[str, Any]:
    """A layout of panels side by side, each with its title above."""
    gap, count = 0.1, len(titles)
    width = (1 - gap * (count - 1)) / count
    made = layout(annotations=[], **extra)
    for index, (title, unit) in enumerate(zip(titles, units, strict=True)):
        name = "" if index == 0 else str(index + 1)
        left = index * (width + gap)
        made[f"xaxis{name}"] = across(axis, domain=[left, left + width], anchor=f"y{name}")
        made[f"yaxis{name}"] = scale(unit, anchor=f"x{name}")
        made["annotations"].append(
            {
                "name": "panel",  # the page puts panels below one another where there is no room
                "text": f"<b>{title}</b>",
                "x": left,
                "y": 1.03,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13},
            }
        )
    return made
