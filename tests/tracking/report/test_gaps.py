"""No line joins a configuration that diverged to its neighbours."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from support.factory import Factory
from tracking.analysis.analysis import Analysis, analyse
from tracking.analysis.configurations import tables
from tracking.report.charts.against_k import likelihood
from tracking.report.charts.axes import axis_of, with_gaps
from tracking.report.stills.panels import draw_front, draw_score

DIVERGED = 9000.0


def analysed(make: Factory, *diverged: int) -> Analysis:
    trials = [
        make.trial(
            {"objective.num_samples": k}, seed, final={"val/nll_final": DIVERGED} if k in diverged else {}
        )
        for k in (1, 5, 20, 50, 100)
        for seed in (0, 1, 2)
    ]
    return analyse(tables(make.record(trials))[0])


def joined(x: Any, y: Any) -> list[tuple[float, float]]:
    """The heights of both ends of each piece of a line that is not a vertical bar."""
    points = [(float(a), float(b)) for a, b in zip(*(np.array(v, dtype=float) for v in (x, y)), strict=True)]
    return [
        (one[1], other[1])
        for one, other in pairwise(points)
        if one[0] != other[0] and np.isfinite([*one, *other]).all()
    ]


@pytest.mark.parametrize(
    ("diverged", "line"),
    [
        ((), [1, 5, 20, 50, 100]),
        ((20,), [1, 5, None, 20, None, 50, 100]),
        ((1, 100), [1, None, 5, 20, 50, None, 100]),
        ((5, 20), [1, None, 5, None, 20, None, 50, 100]),
    ],
)
def test_a_line_breaks_on_either_side_of_what_diverged(make, diverged, line):
    (series,) = axis_of(analysed(make, *diverged)).series
    found = with_gaps(series.measured("val_nll_final"))
    assert [None if point is None else point[0].num_samples for point in found] == line


def test_interactive_lines_do_not_join_what_diverged(make):
    analysis = analysed(make, 20)
    traces = [t for t in likelihood(analysis, axis_of(analysis)).data if t["mode"] == "lines+markers"]
    assert len(traces) == 4
    assert all(len(joined(trace["x"], trace["y"])) == 2 for trace in traces)  # 1 to 5 and 50 to 100
    assert sum(y is not None for y in traces[0]["y"]) == 5  # the point itself stays


@pytest.mark.parametrize("panel", ["nll", "front"])
@pytest.mark.parametrize(("diverged", "pieces"), [((), 4), ((20,), 2)])
def test_still_lines_do_not_join_what_diverged(make, panel, diverged, pieces):
    analysis = analysed(make, *diverged)
    axes, axis = Figure().add_subplot(), axis_of(analysis)
    if panel == "nll":
        draw_score(axes, axis, analysis.table.score)
    else:
        draw_front(axes, analysis, axis)
    lines = [line for line in axes.lines if line.get_linestyle() == "-"]
    ends = [piece for line in lines for piece in joined(line.get_xdata(), line.get_ydata())]
    assert len(ends) == pieces
    assert max(map(max, ends)) < DIVERGED
