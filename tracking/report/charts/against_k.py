"""Interactive figures against K: time, likelihood, active units, gradients, memory."""

from collections.abc import Sequence

import numpy as np

from tracking.analysis.analysis import Analysis
from tracking.analysis.time_fit import TimeFit
from tracking.analysis.trials.columns import SCORE, SECONDS, TEST_SCORE
from tracking.report.charts.axes import Axis, Series
from tracking.report.charts.marks import points, seeds
from tracking.report.charts.palette import INK, MUTED, faint
from tracking.report.charts.plots import Chart, Trace, across, layout, panels, scale
from tracking.report.charts.spread import view
from tracking.statistics.numbers import number


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
        trace = points(axis, one, SECONDS, mode="markers")
        data += [] if trace is None else [*seeds(axis, one, SECONDS), trace]
    return Chart(
        data,
        layout(
            # A line in K is straight on a linear axis alone; anything else is as in the other figures.
            xaxis=across(axis, logarithmic=not axis.by_k),
            yaxis=scale("training seconds", range=view(axis.rows, (SECONDS,), zero=True)),
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
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                **shared,
                "x": [*grid.tolist(), *grid[::-1].tolist()],
                "y": [*high.tolist(), *low[::-1].tolist()],
                "fill": "toself",
                "fillcolor": faint(one.colour, 0.12),
                "line": {"width": 0},
            }
        )
    line = {"color": one.colour, "width": 1.5, "dash": "solid"}
    return [*traces, {"type": "scatter", "mode": "lines", **shared, "y": middle.tolist(), "line": line}]


def likelihood(analysis: Analysis, axis: Axis) -> Chart:
    """The validation and the test score; NLLs at few and at many evaluation samples."""
    score, sides = analysis.table.score, ((1, (SCORE, "val_nll_few")), (2, (TEST_SCORE, "test_nll_few")))
    few, many = analysis.table.yardstick.few_num_samples, analysis.table.yardstick.final_num_samples
    data, made = [], panels(("Validation", "Test"), axis, (score.title, score.title), height=440)
    for panel, columns in sides:
        made[f"yaxis{'' if panel == 1 else panel}"]["range"] = view(axis.rows, columns)
        for one in axis.series:
            bare = one.label or not score.is_likelihood
            names = ["" if bare else f"−L at {count:,} samples" for count in (many, few)]
            solid = points(axis, one, columns[0], score.show, panel=panel, suffix=names[0])
            dotted = points(
                axis,
                one,
                columns[1],
                score.show,
                panel=panel,
                suffix=names[1],
                error_y={"visible": False},
                line={"color": faint(one.colour, 0.6), "width": 1.3, "dash": "dot"},
                marker={"color": one.colour, "size": 7, "symbol": f"{one.symbol.removesuffix('-open')}-open"},
            )
            if dotted is not None:
                data.append({**dotted, "showlegend": panel == 1 and not one.label})
            if solid is not None:
                data += [*seeds(axis, one, columns[0], panel=panel), _legend_once(solid, panel)]
    return Chart(data, made)


def _legend_once(trace: Trace, panel: int) -> Trace:
    return {**trace, "showlegend": panel == 1 and trace["showlegend"]}


def _side_by_side(
    axis: Axis,
    columns: Sequence[str],
    titles: Sequence[str],
    units: Sequence[str],
    unit: float = 1.0,
    zero: Sequence[str] = (),
) -> Chart | None:
    """One panel a column, those in ``zero`` from zero; None where nothing was measured."""
    data, made = [], panels(titles, axis, units)
    for panel, column in enumerate(columns, start=1):
        low, high = view(axis.rows, (column,), zero=column in zero)
        made[f"yaxis{'' if panel == 1 else panel}"]["range"] = [low / unit, high / unit]
        for one in axis.series:
            trace = points(axis, one, column, panel=panel, unit=unit)
            if trace is not None:
                data += [*seeds(axis, one, column, panel=panel, unit=unit), _legend_once(trace, panel)]
    return Chart(data, made) if data else None


def units(analysis: Analysis, axis: Axis) -> Chart | None:
    """Active units, with the latent dimension where all have the same, and the effective sample size."""
    many = analysis.table.yardstick.final_num_samples
    names = ("dimensions", f"importance samples, of {many:,}")
    titles = ("Active units", "Effective sample size")
    chart = _side_by_side(axis, ("active_units", "ess"), titles, names, zero=("ess",))
    sizes = {row.trials[0].config.model.num_units for row in axis.rows}
    if chart is not None and len(sizes) == 1:
        _level(chart, "", float(min(sizes)), f"D = {min(sizes)}")
    return chart


def gradients(analysis: Analysis, axis: Axis) -> Chart | None:
    """Signal-to-noise ratio of encoder's and decoder's gradient, with the floor of the estimate."""
    columns, unit = ("encoder_snr", "decoder_snr"), "|mean| / standard deviation"
    chart = _side_by_side(axis, columns, ("Encoder gradient", "Decoder gradient"), (unit, unit), zero=columns)
    for panel, column in zip(("", "2"), columns, strict=True):
        rows = analysis.table.configurations
        floors = [floor for row in rows for floor in row.values(f"{column}_floor")]
        if chart is not None and floors:
            _level(chart, panel, max(floors), f"floor: {number(max(floors), 2)}")
    return chart


def _level(chart: Chart, panel: str, value: float, words: str) -> None:
    """A dashed level with its name, and room for it."""
    axis = chart.layout[f"yaxis{panel}"]
    low, high = axis["range"]
    axis["range"] = [low, max(high, value + 0.06 * (max(high, value) - low))]
    place = {"xref": f"x{panel} domain", "yref": f"y{panel}"}
    chart.layout.setdefault("shapes", []).append(
        {
            "type": "line",
            **place,
            "x0": 0,
            "x1": 1,
            "y0": value,
            "y1": value,
            "line": {"color": MUTED, "width": 1, "dash": "dash"},
        }
    )
    chart.layout["annotations"].append(
        {
            "text": words,
            **place,
            "x": 0.01,
            "y": value,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11, "color": MUTED},
        }
    )


def memory(axis: Axis) -> Chart | None:
    """What training takes beside the model and the data, in MiB, from zero; None in older records."""
    column = "training_memory_bytes"
    return _side_by_side(axis, (column,), ("Memory of training",), ("MiB",), unit=2.0**20, zero=(column,))
