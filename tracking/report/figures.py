"""Interactive figures against K: time, likelihood, active units, gradients, memory."""

from collections.abc import Sequence

import numpy as np

from tracking.report.analysis import Analysis
from tracking.report.axes import Axis, Series
from tracking.report.palette import INK, MUTED, faint
from tracking.report.plots import Chart, Trace, across, layout, panels, points, scale
from tracking.report.timing import TimeFit
from tracking.report.words import nats


def time_against_k(analysis: Analysis, axis: Axis) -> Chart:
    """Training seconds with the fitted lines and their confidence bands."""
    data: list[Trace] = []
    drawn = {one.label: one for one in axis.series}
    for fit in analysis.fits if axis.by_k else ():
        if fit.label in drawn:
            data += _line(fit, drawn[fit.label])
    if not data and analysis.adjusted is not None:
        data += _line(analysis.adjusted, Series("", (), INK))
    for one in axis.series:
        trace = points(axis, one, "train_seconds", mode="markers")
        if trace is not None:
            data.append(trace)
    return Chart(
        data,
        layout(
            xaxis=across(axis, logarithmic=False),
            yaxis=scale("training seconds", rangemode="tozero"),
            height=430,
        ),
    )


def _line(fit: TimeFit, one: Series) -> list[Trace]:
    grid = np.linspace(0, max(fit.num_samples), 41)
    middle, band = fit.fit.at(grid.tolist()), fit.fit.band(grid.tolist())
    shared = {"x": grid.tolist(), "hoverinfo": "skip", "showlegend": False, "legendgroup": one.label}
    traces: list[Trace] = []
    if band is not None:
        low, high = band
        traces.append({
            "type": "scatter", "mode": "lines", **shared, "x": [*grid.tolist(), *grid[::-1].tolist()],
            "y": [*high.tolist(), *low[::-1].tolist()], "fill": "toself",
            "fillcolor": faint(one.colour, 0.12), "line": {"width": 0},
        })  # fmt: skip
    line = {"color": one.colour, "width": 1.5, "dash": "solid"}
    return [*traces, {"type": "scatter", "mode": "lines", **shared, "y": middle.tolist(), "line": line}]


def likelihood(analysis: Analysis, axis: Axis) -> Chart:
    """Validation and test NLL, each at few and at many evaluation samples."""
    few, many = analysis.table.yardstick.few_num_samples, analysis.table.yardstick.final_num_samples
    data = []
    for panel, columns in ((1, ("val_nll_final", "val_nll_few")), (2, ("test_nll", "test_nll_few"))):
        for one in axis.series:
            names = ["" if one.label else f"−L at {count:,} samples" for count in (many, few)]
            solid = points(
                axis, one, columns[0], nats, panel=panel, suffix=names[0],
            )  # fmt: skip
            dotted = points(
                axis, one, columns[1], nats, panel=panel, suffix=names[1],
                line={"color": faint(one.colour, 0.6), "width": 1.3, "dash": "dot"},
                marker={"color": one.colour, "size": 7, "symbol": f"{one.symbol.removesuffix('-open')}-open"},
            )  # fmt: skip
            if dotted is not None:
                data.append({**dotted, "showlegend": panel == 1 and not one.label})
            data += [] if solid is None else [_legend_once(solid, panel)]
    return Chart(data, panels(("Validation", "Test"), axis, ("NLL, nats", "NLL, nats"), height=440))


def _legend_once(trace: Trace, panel: int) -> Trace:
    return {**trace, "showlegend": panel == 1 and trace["showlegend"]}


def side_by_side(
    axis: Axis, columns: Sequence[str], titles: Sequence[str], units: Sequence[str], unit: float = 1.0
) -> Chart | None:
    """One panel a column; None where nothing was measured."""
    data = []
    for panel, column in enumerate(columns, start=1):
        for one in axis.series:
            trace = points(axis, one, column, panel=panel, unit=unit)
            data += [] if trace is None else [_legend_once(trace, panel)]
    return Chart(data, panels(titles, axis, units)) if data else None


def gradients(analysis: Analysis, axis: Axis) -> Chart | None:
    """Signal-to-noise ratio of encoder's and decoder's gradient, with the floor of the estimate."""
    titles = ("Encoder gradient", "Decoder gradient")
    chart = side_by_side(axis, ("encoder_snr", "decoder_snr"), titles, ("signal / noise", ""))
    if chart is None:
        return None
    for trace in chart.data:
        trace["error_y"] = {**trace["error_y"], "thickness": 1}
    floors = [floor for row in analysis.table.configurations for floor in row.values("snr_floor")]
    lines = []
    for panel in ("", "2"):
        chart.layout[f"yaxis{panel}"]["rangemode"] = "tozero"
        if floors:
            lines.append({
                "type": "line", "xref": f"x{panel} domain", "yref": f"y{panel}", "x0": 0, "x1": 1,
                "y0": max(floors), "y1": max(floors), "line": {"color": MUTED, "width": 1, "dash": "dash"},
            })  # fmt: skip
    chart.layout["shapes"] = lines
    return chart


def memory(axis: Axis) -> Chart | None:
    """Peak memory in MiB, from zero."""
    chart = side_by_side(axis, ("peak_memory_bytes",), ("Peak memory",), ("MiB",), unit=2.0**20)
    if chart is not None:
        chart.layout["yaxis"]["rangemode"] = "tozero"
    return chart
