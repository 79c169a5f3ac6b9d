"""Samples and reconstructions of the smallest and the largest K, side by side."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.winner import median_of
from tracking.records.records import TrialRecord
from tracking.report.page.blocks import Block, Grids, Heading, Picture, Words
from tracking.report.stills.tiles import png, tiled

Pictures = Mapping[str, Mapping[str, NDArray[np.uint8]]]
KINDS = {
    "samples": "Samples from the prior",
    "reconstructions": "Reconstructions: each row of originals above its reconstructions",
}
MARGIN, BAR = 24, 30


@dataclass(frozen=True)
class Pair:
    """Image grids of one kind, of one or two trials.

    Attributes:
        kind: ``samples`` or ``reconstructions``.
        names: of the trials, the one with the smaller K first.
        pictures: their tiled grids.
    """

    kind: str
    names: tuple[str, ...]
    pictures: tuple[Image.Image, ...]


def pairs(analysis: Analysis, pictures: Pictures) -> list[Pair]:
    """Grids of the smallest and the largest K that differ in K alone; with one K, of the best alone."""
    trials = [trial for trial in _trials(analysis, pictures) if trial is not None]
    found = []
    for kind in KINDS:
        shown = [trial for trial in trials if kind in pictures[trial.key]]
        if shown:
            grids = tuple(tiled(pictures[trial.key][kind], side=40) for trial in shown)
            found.append(Pair(kind, tuple(trial.plan.name for trial in shown), grids))
    return found


def _trials(analysis: Analysis, pictures: Pictures) -> Sequence[TrialRecord | None]:
    chosen = analysis.chosen
    if chosen is None:
        return [_median(analysis.best_row, pictures)]
    drawn = [trial for row in chosen.configurations if (trial := _median(row, pictures)) is not None]
    return drawn if len(drawn) < 2 else [drawn[0], drawn[-1]]


def _median(row: Configuration, pictures: Pictures) -> TrialRecord | None:
    """Of the trials with pictures the one with the (lower) median validation NLL."""
    drawn = [trial for trial in row.trials if pictures.get(trial.key)]
    return median_of(drawn) if drawn else None


def picture_blocks(found: Sequence[Pair]) -> list[Block]:
    """The grids for the page; none where there are no pictures."""
    blocks: list[Block] = []
    for pair in found:
        kind = KINDS[pair.kind]
        pictures = [
            Picture(base64.b64encode(png(picture)).decode(), f"{kind}, {name}", name)
            for name, picture in zip(pair.names, pair.pictures, strict=True)
        ]
        blocks += [Heading(kind), Grids(pictures)]
    if blocks:
        words = "For each configuration the seed with the median validation NLL; nothing was picked by eye."
        blocks.append(Words(words, "note"))
    return blocks


def save(pair: Pair, path: Path) -> Path:
    """One PNG with the grids side by side, each under its trial's name."""
    width = sum(p.width for p in pair.pictures) + MARGIN * (len(pair.pictures) - 1)
    height = max(p.height for p in pair.pictures) + BAR
    sheet, font = Image.new("RGB", (width, height), "white"), ImageFont.load_default(size=15)
    pen, left = ImageDraw.Draw(sheet), 0
    for name, picture in zip(pair.names, pair.pictures, strict=True):
        pen.text((left, 6), name, fill="#1c2430", font=font)
        sheet.paste(picture.convert("RGB"), (left, BAR))
        left += picture.width + MARGIN
    sheet.save(path)
    return path
