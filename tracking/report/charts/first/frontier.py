"""The first picture: likelihood against training time, as an SVG that a browser paints at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.analysis.winner import median_of
from tracking.records.comparable.score import Score
from tracking.report.charts.axes import MOST_BARS
from tracking.report.charts.spread import bar, dots
from tracking.statistics.numbers import ends, measured, plural

SIDES = (58, 16, 16, 46)  # pixels kept for ticks and titles: left, top, right, bottom
LETTER, LINE = 7.0, 16  # pixels of a letter and of a line of a label
MOST_LABELS = 14
REACH = 0.6  # how far an interval may widen an axis beyond the means, as a share of what they span
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A configuration, in pixels.

    Attributes:
        x: of its mean training seconds.
        y: of its mean validation score.
        kind: ``taken``, ``front`` or ``dominated``.
        title: what hovering says.
        trial_key: of the trial that stands for it.
        across: the ends of the seconds' interval; None without one.
        along: the ends of the score's.
        seeds: of its single seeds, where there are two.
    """

    x: float
    y: float
    kind: str
    title: str
    trial_key: str
    across: tuple[float, float] | None
    along: tuple[float, float] | None
    seeds: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Label:
    """A word beside a point; ``anchor`` as SVG's ``text-anchor``."""

    x: float
    y: float
    anchor: str
    text: str
    strong: bool


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high`` on the pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; one beyond the axis is at its end."""
        low, high, at = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        share = min(1.0, max(0.0, (at - low) / (high - low)))
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where the ticks are, and what they say."""
        return [(self(value), f"{value:,.10g}") for value in self._values()]

    def _values(self) -> list[float]:
        from matplotlib.ticker import MaxNLocator  # heavy: only where a report is drawn

        if self.logarithmic and self.high > 4 * self.low:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if self.high < 200 * self.low else (1,)
            found = [step * 10.0**power for power in powers for step in steps]
        else:
            found = list(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high))
        return [value for value in found if self.low <= value <= self.high]


@dataclass(frozen=True)
class Frontier:
    """The picture, in pixels from the upper left corner."""

    macro: ClassVar = "frontier"
    width: int
    height: int
    x: Scale
    y: Scale
    steps: str
    points: Sequence[Point]
    labels: Sequence[Label]
    bars: bool
    title: str


def frontier(analysis: Analysis, taken: Configuration | None, width: int, height: int) -> Frontier | None:
    """The picture; None where no time was measured.

    Args:
        analysis: of one table.
        taken: the configuration that is recommended.
        width: in pixels.
        height: in pixels.
    """
    rows = [row for row in analysis.table.steady if (row.mean(SECONDS) or 0.0) > 0]
    if not rows:
        return None
    left, top, right, bottom = SIDES
    x = _scale(rows, SECONDS, left, width - right, logarithmic=True)
    y = _scale(rows, SCORE, height - bottom, top)
    front = {id(row) for row in analysis.front}
    points = [
        _point(row, analysis.table.score, _kind(row, taken, front), x, y, len(rows) > MOST_BARS)
        for row in rows
    ]
    points.sort(key=lambda point: ("dominated", "front", "taken").index(point.kind))
    named = [row for row in _named(analysis, taken) if row in rows]
    frame = (left, top, width - right, height - bottom)
    labels = _labels(named, taken, points, _lines(analysis.front, x, y), x, y, frame)
    bars = any(point.across or point.along for point in points)
    return Frontier(
        width,
        height,
        x,
        y,
        _steps(analysis.front, x, y),
        points,
        labels,
        bars,
        f"validation {analysis.table.score.title}",
    )


def _kind(row: Configuration, taken: Configuration | None, front: set[int]) -> str:
    if row is taken:
        return "taken"
    return "front" if id(row) in front else "dominated"


def _mean(row: Configuration, column: str) -> float:
    return row.mean(column) or 0.0


def _scale(
    rows: Sequence[Configuration], column: str, start: float, end: float, logarithmic: bool = False
) -> Scale:
    """An axis that holds every mean and seed, and of the intervals what does not press these together."""
    to: Callable[[float], float] = math.log if logarithmic else float
    crowded = len(rows) > MOST_BARS
    core = [to(_mean(row, column)) for row in rows]
    core += [to(value) for row in rows for value in dots(row, column) if not crowded and value > 0]
    arms = [end for row in rows if not crowded for end in bar(row, column, row.estimate(column)) or ()]
    reach = [to(value) for value in arms if not logarithmic or value > 0]
    span = max(core) - min(core) or max([*reach, *core]) - min([*reach, *core]) or 0.1
    low = max(min([*core, *reach]), min(core) - REACH * span) - 0.06 * span
    high = min(max([*core, *reach]), max(core) + REACH * span) + 0.06 * span
    back: Callable[[float], float] = math.exp if logarithmic else float
    return Scale(back(low), back(high), start, end, logarithmic)


def _point(row: Configuration, score: Score, kind: str, x: Scale, y: Scale, crowded: bool) -> Point:
    across, along = (
        None
        if crowded or found is None
        else (scale(max(found[0], 1e-12) if log else found[0]), scale(found[1]))
        for scale, log, found in (
            (x, True, bar(row, SECONDS, row.estimate(SECONDS))),
            (y, False, bar(row, SCORE, row.estimate(SCORE))),
        )
    )
    pairs = zip(dots(row, SECONDS), dots(row, SCORE), strict=False)
    seeds = () if crowded else tuple((x(seconds), y(nll)) for seconds, nll in pairs)
    place = x(_mean(row, SECONDS)), y(_mean(row, SCORE))
    return Point(*place, kind, _title(row, score), median_of(row.trials).key, across, along, seeds)


def _title(row: Configuration, score: Score) -> str:
    found, seconds = row.estimate(SCORE), row.estimate(SECONDS)
    shown = " ".join(measured(_mean(row, SECONDS), ends(seconds))).strip()
    value = f"{score.show(_mean(row, SCORE))} {score.between(ends(found))} {score.unit}".strip()
    return f"{row.name}\n{value}\n{shown} s\n{plural(len(row.trials), 'seed')}"


def _steps(front: Sequence[Configuration], x: Scale, y: Scale) -> str:
    """The front's staircase as the path of an SVG; empty with one point."""
    if len(front) < 2:
        return ""
    places = [(x(_mean(row, SECONDS)), y(_mean(row, SCORE))) for row in front]
    (first_x, first_y), *rest = places
    return f"M{first_x} {first_y}" + "".join(f"H{right}V{down}" for right, down in rest)


def _lines(front: Sequence[Configuration], x: Scale, y: Scale) -> list[Box]:
    """Where the staircase is drawn, which no label should cross."""
    places = [(x(_mean(row, SECONDS)), y(_mean(row, SCORE))) for row in front]
    found: list[Box] = []
    for (left, top), (right, down) in pairwise(places):
        found += [(left, top - 1, right, top + 1), (right - 1, min(top, down), right + 1, max(top, down))]
    return found


def _named(analysis: Analysis, taken: Configuration | None) -> list[Configuration]:
    """What gets a label, the most important first: what is taken, the ends of its K's, the rest of them."""
    chosen, by_k = analysis.chosen, len(analysis.table.num_samples) > 1
    line = list(chosen.configurations if chosen else analysis.front)
    ends_first = [line[0], line[-1], *line[1:-1]] if line else []
    ordered = [row for row in [*([taken] if taken else []), *ends_first, *analysis.front] if row is not None]
    first: dict[object, Configuration] = {}
    for row in ordered:  # each K once
        first.setdefault(row.num_samples if by_k else id(row), row)
    return list(first.values())[:MOST_LABELS]


def _labels(
    rows: Sequence[Configuration],
    taken: Configuration | None,
    points: Sequence[Point],
    lines: Sequence[Box],
    x: Scale,
    y: Scale,
    frame: Box,
) -> list[Label]:
    """Labels that cover neither points nor one another; one that fits nowhere is left out."""
    busy: list[Box] = [(p.x - 6, p.y - 6, p.x + 6, p.y + 6) for p in points]
    thin = [(p.x - 1, min(p.along), p.x + 1, max(p.along)) for p in points if p.along]
    thin += lines
    thin += [(min(p.across), p.y - 1, max(p.across), p.y + 1) for p in points if p.across]
    made, several = [], len({row.num_samples for row in rows}) > 1
    for row in rows:
        text = f"K = {row.num_samples}" if several else row.name
        place = x(_mean(row, SECONDS)), y(_mean(row, SCORE))
        found = _free(place, text + ", take this" * (row is taken), frame, [*busy, *thin])
        found = found or _free(place, text, frame, busy)
        if found is not None:
            busy.append(_box(found))
            made.append(Label(found.x, found.y, found.anchor, found.text, row is taken))
    return made


def _free(place: tuple[float, float], text: str, frame: Box, busy: Sequence[Box]) -> Label | None:
    """The first place around a point where a label fits."""
    (at, along), (left, top, right, bottom) = place, frame
    tries = [(10, 18, "start"), (10, -9, "start"), (-10, -9, "end"), (-10, 18, "end"), (12, 4, "start")]
    tries += [(-12, 4, "end"), (0, 24, "middle"), (0, -14, "middle")]
    for across, down, anchor in tries:
        label = Label(at + across, along + down, anchor, text, False)
        box = _box(label)
        inside = left <= box[0] and box[2] <= right and top <= box[1] and box[3] <= bottom
        if inside and not any(_overlap(box, other) for other in busy):
            return label
    return None


def _box(label: Label) -> Box:
    wide = LETTER * len(label.text)
    left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    return left, label.y - 0.75 * LINE, left + wide, label.y + 0.25 * LINE


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
