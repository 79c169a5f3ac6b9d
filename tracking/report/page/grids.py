"""What the models draw, side by side: samples, reconstructions, the latent map; plots of flat features."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.winner import median_of
from tracking.records.records import TrialRecord
from tracking.report.charts.drawn.arrays import Arrays
from tracking.report.charts.drawn.charts import drawn_beside_data, latent_map, reconstruction, residual_bars
from tracking.report.charts.plots import Chart
from tracking.report.page.blocks import Block, Figure, Grids, Heading, Picture, Words, chart
from tracking.report.stills.tiles import png, tiled
from tracking.report.words.answers.models import subjects

Pictures = Mapping[str, Mapping[str, NDArray[Any]]]
KINDS = {
    "samples": "Samples from the prior",
    "class_samples": "Samples of each class: the same draws in every row",
    "reconstructions": "Reconstructions: each row of originals above its reconstructions",
}
PLOTS = {
    "latent map": (latent_map, "Posterior means of test items, on a plane"),
    "reconstruction": (reconstruction, "Reconstructions of test items against the truth, all features"),
    "residuals": (
        residual_bars,
        "Residuals by feature, root mean squares: 1 is as far off as the mean of the data",
    ),
    "draws": (drawn_beside_data, "Draws from the model over test items"),
}
MOST_MODELS = 12
MARGIN, BAR = 24, 30


@dataclass(frozen=True)
class Shown:
    """One trial that is drawn: its name here, and its arrays."""

    name: str
    arrays: Arrays

    def grid(self, kind: str) -> Image.Image:
        """The tiled grid of a kind that it has."""
        return tiled(self.arrays[kind], side=40)


def shown(analysis: Analysis, pictures: Pictures) -> list[Shown]:
    """The smallest and the largest K that differ in K alone, or each kind of model; else the best alone."""
    found = [
        Shown(name, pictures[trial.key])
        for name, row in _rows(analysis)
        if (trial := _median(row, pictures)) is not None
        for name in [name or trial.plan.name]
    ]
    if analysis.kinds or analysis.chosen is None or len(found) < 2:
        return found[:MOST_MODELS]
    return [found[0], found[-1]]


def _rows(analysis: Analysis) -> Sequence[tuple[str, Configuration]]:
    if analysis.kinds:
        return subjects(analysis)
    chosen = analysis.chosen
    rows = [analysis.best_row] if chosen is None else chosen.configurations
    return [("", row) for row in rows]


def _median(row: Configuration, pictures: Pictures) -> TrialRecord | None:
    """Of the trials with pictures the one with the (lower) median validation score."""
    drawn = [trial for trial in row.trials if pictures.get(trial.key)]
    return median_of(drawn) if drawn else None


def picture_blocks(analysis: Analysis, found: Sequence[Shown]) -> list[Block]:
    """The pictures for the page: a row a model where models vary, else a row a kind of picture."""
    blocks = _by_model(found) if analysis.kinds else _by_kind(found)
    if blocks:
        words = "For each configuration the seed with the median validation score; nothing was picked by eye."
        blocks.append(Words(words, "note"))
    return blocks


def _by_model(found: Sequence[Shown]) -> list[Block]:
    blocks: list[Block] = []
    for one in found:
        cells = [_picture(one, kind, title) for kind, title in KINDS.items() if kind in one.arrays]
        plots = [_plot(made, title) for draw, title in PLOTS.values() if (made := draw(one.arrays))]
        if cells or plots:
            blocks += [Heading(one.name), Grids([*cells, *plots])]
    return blocks


def _by_kind(found: Sequence[Shown]) -> list[Block]:
    blocks: list[Block] = []
    for kind, title in KINDS.items():
        having = [one for one in found if kind in one.arrays]
        if having:
            blocks += [Heading(title), Grids([_picture(one, kind, one.name) for one in having])]
    for draw, title in PLOTS.values():
        plots = [_plot(made, one.name) for one in found if (made := draw(one.arrays))]
        if plots:
            blocks += [Heading(title), Grids(plots)]
    return blocks


def _picture(one: Shown, kind: str, caption: str) -> Picture:
    return Picture(base64.b64encode(png(one.grid(kind))).decode(), f"{KINDS[kind]}, {one.name}", caption)


def _plot(made: Chart, caption: str) -> Figure:
    (figure,) = chart(made, caption)
    assert isinstance(figure, Figure)  # it has data
    return figure


def save(kind: str, found: Sequence[Shown], path: Path) -> Path:
    """One PNG with the grids of a kind side by side, each under its trial's name."""
    pictures = [one.grid(kind) for one in found]
    width = sum(p.width for p in pictures) + MARGIN * (len(pictures) - 1)
    height = max(p.height for p in pictures) + BAR
    sheet, font = Image.new("RGB", (width, height), "white"), ImageFont.load_default(size=15)
    pen, left = ImageDraw.Draw(sheet), 0
    for one, picture in zip(found, pictures, strict=True):
        pen.text((left, 6), one.name, fill="#1c2430", font=font)
        shade = picture.convert("RGBA")
        sheet.paste(shade, (left, BAR), shade)
        left += picture.width + MARGIN
    sheet.save(path)
    return path
