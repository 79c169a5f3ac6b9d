"""Figures of one trial, its grids, plots and curves: drawn beside running training, so cheaply."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tracking.records.comparable.score import score_of
from tracking.records.records import TrialRecord
from tracking.report.charts.palette import HUES, MUTED
from tracking.report.stills.plots import draw_features, draw_latent_map
from tracking.report.stills.tiles import tiled
from tracking.report.stills.tradeoff import dress

KINDS = ("samples", "class_samples", "reconstructions", "interpolation", "traversals")
WEIGHTS = {"annealing/beta": "β", "annealing/entropy_weight": "entropy weight"}


def write_trial_figures(trial: TrialRecord, pictures: Mapping[str, NDArray[Any]], folder: Path) -> list[Path]:
    """Writes a PNG for each image grid and plot, and ``curves.png``; what a trial does not have is left out.

    Args:
        trial: the trial, with its history so far.
        pictures: arrays by name, as `iwae.evaluation.pictures` makes them.
        folder: made if it is missing.

    Returns:
        The files: samples, class_samples, reconstructions, interpolation, traversals, latent_map, features,
        curves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for kind in KINDS:
        if kind in pictures:
            path = folder / f"{kind}.png"
            tiled(pictures[kind]).save(path, compress_level=1)
            files.append(path)
    if "latent_map" in pictures:
        files.append(draw_latent_map(pictures, folder / "latent_map.png"))
    if "reconstructed" in pictures:
        files.append(draw_features(pictures, folder / "features.png"))
    if trial.history:
        files.append(_draw_curves(trial, folder / "curves.png"))
    return files


def _draw_curves(trial: TrialRecord, path: Path) -> Path:
    figure = Figure(figsize=(8, 5), dpi=90, facecolor="white")
    FigureCanvasAgg(figure)
    (bound, nll), (weight, units) = figure.subplots(2, 2)
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.09, top=0.88, hspace=0.42, wspace=0.22)
    _line(bound, trial, "train/bound", HUES[0])
    _band(nll, trial)
    score = score_of(trial.config)
    _line(nll, trial, score.curve, HUES[1])
    name = next((name for name in WEIGHTS if _series(trial, name)[0]), None)
    if name is not None:
        _line(weight, trial, name, HUES[2])
    _line(units, trial, "val/active_units", HUES[3])
    annealed = f"Annealing weight{f': {WEIGHTS[name]}' if name else ''}"
    titles = ("Training bound, nats", f"Validation {score.title}", annealed, "Active units")
    for axes, title in zip((bound, nll, weight, units), titles, strict=True):
        dress(axes, title)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    weight.set_ylim(-0.05, max(1.05, weight.get_ylim()[1]))
    for axes in (weight, units):
        axes.set_xlabel("epochs", fontsize=8, color=MUTED)
    figure.suptitle(trial.plan.name, x=0.08, ha="left", fontsize=11, fontweight="bold", parse_math=False)
    figure.savefig(path, pil_kwargs={"compress_level": 1})
    return path


def _series(trial: TrialRecord, name: str) -> tuple[Sequence[int], Sequence[float]]:
    found = [(e.epoch, e.metrics[name]) for e in trial.history if name in e.metrics]
    return [epoch for epoch, _ in found], [value for _, value in found]


def _line(axes: Axes, trial: TrialRecord, name: str, colour: str) -> None:
    epochs, values = _series(trial, name)
    axes.plot(epochs, values, color=colour, linewidth=1.6, marker="o" if len(epochs) < 3 else "")


def _band(axes: Axes, trial: TrialRecord) -> None:
    """One standard error (over images) on either side of the validation NLL."""
    found = [
        (e.epoch, e.metrics["val/nll"], e.metrics["val/nll_stderr"])
        for e in trial.history
        if "val/nll" in e.metrics and "val/nll_stderr" in e.metrics
    ]
    if found:
        epochs, values, errors = (np.array(column) for column in zip(*found, strict=True))
        axes.fill_between(epochs, values - errors, values + errors, color=HUES[1], alpha=0.2, linewidth=0)
