"""The latent map and the plots of flat features of one trial, as PNG files."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tracking.report.charts.drawn.arrays import Arrays, clouds, middle, plane, residuals, standardized
from tracking.report.charts.palette import HUES, INK, MUTED, OTHERS
from tracking.report.stills.panels import MARKERS, literal
from tracking.report.stills.tradeoff import dress


def draw_latent_map(arrays: Arrays, path: Path) -> Path:
    """Posterior means on a plane, each class in its colour and with its name where it lies."""
    figure = Figure(figsize=(6, 5.4), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    dress(axes, "Posterior means of test items")
    across, along = (str(name) for name in arrays["latent_axes"])
    axes.set(xlabel=across, ylabel=along)
    found = clouds(arrays)
    for one in found:
        axes.plot(
            *one.points.T, MARKERS[one.symbol], color=one.colour, markersize=4, alpha=0.6, markeredgewidth=0
        )
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for one in found:
        style: dict[str, Any] = {
            "fontsize": 10,
            "fontweight": "bold",
            "color": INK,
            "ha": "center",
            "va": "center",
        }
        axes.text(*middle(one), literal(one.name), bbox=box if one.name else None, **style)
    figure.savefig(path, pil_kwargs={"compress_level": 1})
    return path


def draw_features(arrays: Arrays, path: Path) -> Path:
    """Reconstructions against the truth, residuals by feature, and draws, if any, over the data."""
    with_draws = "drawn" in arrays and arrays["drawn"].shape[1] > 1
    figure = Figure(
        figsize=(5 + 4.6 * (1 + with_draws), 4.6), dpi=90, facecolor="white", layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2 + with_draws)
    _against_truth(panels[0], arrays)
    _residuals(panels[1], arrays)
    if with_draws:
        _draws(panels[2], arrays)
    figure.savefig(path, pil_kwargs={"compress_level": 1})
    return path


def _against_truth(axes: Axes, arrays: Arrays) -> None:
    truth, made = standardized(arrays)
    dress(axes, "Reconstructions against the truth")
    axes.plot(truth.ravel(), made.ravel(), ".", color=HUES[0], markersize=3, alpha=0.35, markeredgewidth=0)
    ends = (min(truth.min(), made.min()), max(truth.max(), made.max()))
    axes.plot(ends, ends, "--", color=MUTED, linewidth=1)
    axes.set(xlabel="truth, standard deviations", ylabel="reconstruction, the same")


def _residuals(axes: Axes, arrays: Arrays) -> None:
    found = residuals(arrays)[::-1]
    dress(axes, "Residuals by feature")
    axes.barh(range(len(found)), [size for _, size in found], color=HUES[0], height=0.6)
    axes.set_yticks(range(len(found)), labels=[literal(name) for name, _ in found])
    axes.set_xlabel("root mean squared residual, standard deviations")


def _draws(axes: Axes, arrays: Arrays) -> None:
    data, drawn, (across, along) = plane(arrays)
    dress(axes, "Draws from the model over test items")
    axes.plot(*data.T, "o", color=OTHERS, markersize=4, alpha=0.6, markeredgewidth=0, label="data")
    axes.plot(*drawn.T, "D", color=HUES[1], markersize=3.5, alpha=0.6, markeredgewidth=0, label="model")
    axes.set(xlabel=literal(across), ylabel=literal(along))
    axes.legend(frameon=False, fontsize=9)
