"""The same arrays as small interactive figures, to stand side by side."""

from html import escape
from typing import Any

import numpy as np

from tracking.report.charts.drawn.arrays import (
    Arrays,
    Floats,
    clouds,
    middle,
    plane,
    residuals,
    standardized,
)
from tracking.report.charts.palette import HUES, INK, MUTED, OTHERS, PAPER, faint
from tracking.report.charts.plots import Chart, Trace, layout, scale

HEIGHT = 330
MOST_NUMBERS = 1500  # points of a scatter of all features


def latent_map(arrays: Arrays) -> Chart | None:
    """Posterior means on a plane, each class named where it lies; None without a map."""
    found = clouds(arrays)
    if not found:
        return None
    across, along = (str(name) for name in arrays["latent_axes"])
    data = [{**_points(one.points, one.colour, one.name, one.symbol), "showlegend": False} for one in found]
    names = [
        {
            "x": x,
            "y": y,
            "text": f"<b>{escape(one.name)}</b>",
            "showarrow": False,
            "font": {"size": 12, "color": INK},
            "bgcolor": faint(PAPER, 0.75),
        }
        for one in found
        if one.name
        for x, y in [middle(one)]
    ]
    return Chart(data, _small(across, along, annotations=names))


def reconstruction(arrays: Arrays) -> Chart | None:
    """Reconstructions against the truth, all features in their standard deviations; None of images."""
    if "reconstructed" not in arrays:
        return None
    truth, made = standardized(arrays)
    rows = max(1, MOST_NUMBERS // truth.shape[1])
    both = np.stack((truth[:rows].ravel(), made[:rows].ravel()), axis=1)
    low, high = float(both.min()), float(both.max())
    exact = {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": MUTED, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }
    titles = ("truth, standard deviations", "reconstruction, the same")
    return Chart([exact, _points(both, HUES[0])], _small(*titles))


def residual_bars(arrays: Arrays) -> Chart | None:
    """How far reconstructions are off, a bar a feature; None of images."""
    if "reconstructed" not in arrays:
        return None
    found = residuals(arrays)[::-1]
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": [size for _, size in found],
        "y": [escape(name) for name, _ in found],
        "marker": {"color": HUES[0]},
        "hovertemplate": "%{y}: %{x:.3~g}<extra></extra>",
    }
    made = _small("residual, standard deviations", "")
    made["yaxis"].update(type="category", dtick=1, tickfont={"size": 10}, gridcolor="rgba(0,0,0,0)")
    return Chart([trace], {**made, "height": max(HEIGHT, 110 + 18 * len(found))})


def drawn_beside_data(arrays: Arrays) -> Chart | None:
    """Draws from the model over the test items, on a plane; None of images, and without draws."""
    if "drawn" not in arrays or arrays["drawn"].shape[1] < 2:
        return None
    data, drawn, (across, along) = plane(arrays)
    return Chart(
        [_points(data, OTHERS, "data"), _points(drawn, HUES[1], "model", "diamond")], _small(across, along)
    )


def _points(points: Floats, colour: str, name: str = "", symbol: str = "circle") -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(f"{value:.4g}") for value in points[:, 0].tolist()],
        "y": [float(f"{value:.4g}") for value in points[:, 1].tolist()],
        "marker": {"color": faint(colour, 0.6), "size": 5, "symbol": symbol},
        **({"name": escape(name), "hovertemplate": f"{escape(name)}<extra></extra>"} if name else {}),
        **({} if name else {"hoverinfo": "skip"}),
    }


def _small(across: str, along: str, **extra: Any) -> dict[str, Any]:
    return layout(
        xaxis=scale(escape(across)),
        yaxis=scale(escape(along)),
        height=HEIGHT,
        margin={"l": 46, "r": 8, "t": 8, "b": 44},
        **extra,
    )
