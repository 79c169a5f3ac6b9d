"""The interactive figure of nats against training seconds, with the targets and when they are reached."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from tracking.analysis.curves.time_to_target import Curve, TimeToTarget
from tracking.report.charts.palette import MUTED, PAPER, faint, k_colours, k_legend
from tracking.report.charts.plots import Chart, Trace, layout, scale
from tracking.statistics.numbers import nats, number

MOST_SEEDS = 60


def nats_against_seconds(found: TimeToTarget) -> Chart:
    """The mean over seeds of every K, thin lines for the seeds, dashed lines and rings for the targets."""
    ks = found.stratum.num_samples
    colours, named = k_colours(ks), k_legend(ks)
    seeds = sum(map(len, found.curves))
    data: list[Trace] = []
    for k, curves in zip(ks, found.curves, strict=True):
        if len(curves) > 1 and seeds <= MOST_SEEDS:
            data += [_seed(k, one, colours[k]) for one in curves]
    for k, curves in zip(ks, found.curves, strict=True):
        data.append(_mean(k, curves, colours[k], shown=k in named))
    data += [_reached(found, place, k, colours[k]) for place, k in enumerate(ks)]
    return Chart(data, _layout(found))


def mean_curve(curves: Sequence[Curve]) -> tuple[list[float], list[float]]:
    """Geometric mean of the seconds and mean NLL over seeds, at the epochs at which all were evaluated."""
    epochs = set.intersection(*({point.epoch for point in one.points} for one in curves))
    kept = [[point for point in one.points if point.epoch in epochs] for one in curves]
    seconds = np.exp(np.mean(np.log([[point.seconds for point in points] for points in kept]), axis=0))
    nlls = np.mean([[point.nll for point in points] for points in kept], axis=0)
    return seconds.tolist(), nlls.tolist()


def _seed(k: int, one: Curve, colour: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point.seconds for point in one.points],
        "y": [point.nll for point in one.points],
        "line": {"color": faint(colour, 0.35), "width": 1},
        "legendgroup": str(k),
        "showlegend": False,
        "hovertemplate": f"{escape(one.trial.plan.name)}<br>%{{x:.3g}} s: %{{y:.2f}} nats<extra></extra>",
    }


def _mean(k: int, curves: Sequence[Curve], colour: str, *, shown: bool) -> Trace:
    seconds, nlls = mean_curve(curves)
    of = f"mean of {len(curves)} seeds" if len(curves) > 1 else "one seed"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": seconds,
        "y": nlls,
        "line": {"color": colour, "width": 2.4},
        "legendgroup": str(k),
        "name": f"K = {k}",
        "showlegend": shown,
        "hovertemplate": f"K = {k}, {of}<br>%{{x:.3g}} s: %{{y:.2f}} nats<extra></extra>",
    }


def _reached(found: TimeToTarget, place: int, k: int, colour: str) -> Trace:
    """Rings where half of the seeds have reached a target."""
    at = [(one.times[place].median, one.nll) for one in found.targets]
    kept = [(seconds, nll) for seconds, nll in at if seconds is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [seconds for seconds, _ in kept],
        "y": [nll for _, nll in kept],
        "marker": {"color": PAPER, "size": 8, "line": {"color": colour, "width": 2}},
        "legendgroup": str(k),
        "showlegend": False,
        "text": [f"K = {k} reaches {nats(nll)} nats after {number(seconds)} s" for seconds, nll in kept],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _layout(found: TimeToTarget) -> dict[str, object]:
    """Seconds on a logarithmic axis; of the nats what lies around the targets."""
    levels = [one.nll for one in found.targets]
    ends = [one.points[-1].nll for curves in found.curves for one in curves]
    low, high = min(*levels, *ends), max(*levels, *ends)
    room = max(high - low, 0.5)
    top = high + 0.9 * room
    lines = [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": level,
            "y1": level,
            "line": {"color": MUTED, "width": 1, "dash": "dot"},
        }
        for level in levels
    ]
    return layout(
        xaxis=scale("training seconds", type="log", **_seconds(found, top)),
        yaxis=scale("validation NLL, nats", range=[low - 0.1 * room, top]),
        shapes=lines,
        height=420,
    )


def _seconds(found: TimeToTarget, top: float) -> dict[str, object]:
    """Ticks at 1, 2 and 5, and the range from where the first curve comes into view."""
    points = [point for curves in found.curves for one in curves for point in one.points]
    seconds = [point.seconds for point in points if point.nll <= top]
    low, high = math.log10(min(seconds)), math.log10(max(seconds))
    ticks = [digit * 10.0**power for power in range(-4, 8) for digit in (1, 2, 5)]
    room = 0.03 * (high - low) or 0.1
    return {
        "range": [low - room, high + room],
        "tickvals": ticks,
        "ticktext": [f"{tick:,.5g}" for tick in ticks],
    }
