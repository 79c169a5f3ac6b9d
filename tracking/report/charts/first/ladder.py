"""The first picture where models vary: each model's score with its interval, the best on top, as an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import SCORE
from tracking.analysis.winner import median_of
from tracking.records.comparable.score import Score
from tracking.report.charts.first.frontier import LETTER, Scale
from tracking.report.charts.spread import bar, dots
from tracking.report.words.answers.models import subjects
from tracking.statistics.numbers import ends, plural

LEFT, TOP, BOTTOM, ROW = 12, 10, 46, 42  # pixels
MOST_ROWS = 16
REACH = 3.0  # how far the axis goes behind the best, in distances of the median model


@dataclass(frozen=True)
class Rung:
    """One model, in pixels.

    Attributes:
        y: of its line.
        x: of its mean score.
        label: its name, above the line.
        value: its score in words.
        shape: what its score is: ``estimate``, ``bound``, ``exact`` or ``none``.
        beyond: whether the mean is beyond the end of the axis.
        bar: the ends of its interval; None without one.
        seeds: of its single seeds, where there are two.
        kind: ``taken``, ``best`` or ``other``.
        title: what hovering says.
        trial_key: of the trial that stands for it.
    """

    y: float
    x: float
    label: str
    value: str
    shape: str
    beyond: bool
    bar: tuple[float, float] | None
    seeds: tuple[float, ...]
    kind: str
    title: str
    trial_key: str


@dataclass(frozen=True)
class Ladder:
    """The picture, in pixels from the upper left corner."""

    macro: ClassVar = "ladder"
    width: int
    height: int
    x: Scale
    bottom: float
    rungs: Sequence[Rung]
    title: str
    shapes: Sequence[str]

    @property
    def bars(self) -> bool:
        """Whether any interval is drawn."""
        return any(one.bar is not None for one in self.rungs)


def ladder(analysis: Analysis, taken: Configuration | None, width: int) -> Ladder:
    """The picture of the models of one table, at most 16 of them.

    Args:
        analysis: of the table.
        taken: the configuration that is recommended.
        width: in pixels.
    """
    named, score = subjects(analysis)[:MOST_ROWS], analysis.table.score
    bottom = TOP + ROW * len(named)
    x = _scale([row for _, row in named], LEFT + 6, width - LEFT - 6)
    rungs = []
    for index, (label, row) in enumerate(named):
        kind = "taken" if row is taken else "best" if row is analysis.best_row else "other"
        rungs.append(_rung(label, row, score, x, TOP + ROW * index + 29, kind))
    shapes = dict.fromkeys(one.shape for one in rungs)
    return Ladder(width, bottom + BOTTOM, x, bottom, rungs, f"validation {score.title}", tuple(shapes))


def _scale(rows: Sequence[Configuration], start: float, end: float) -> Scale:
    """An axis that holds the better half with its intervals, and of the others what does not press these."""
    means = [row.mean(SCORE) or 0.0 for row in rows]
    best = min(means)
    limit = best + REACH * (median(means) - best) if len(means) > 2 else max(means)
    shown = [mean for mean in means if mean <= limit] or means
    span = (max(shown) - best) or abs(best) * 0.02 or 1.0
    near = [row for row, mean in zip(rows, means, strict=True) if mean <= limit]
    arms = [value for row in near for value in (bar(row, SCORE, row.estimate(SCORE)) or dots(row, SCORE))]
    low = max(min([best, *arms]), best - span) - 0.05 * span
    high = min(max([*shown, *arms]), max(shown) + span) + 0.05 * span
    return Scale(low, high, start, end)


def _rung(label: str, row: Configuration, score: Score, x: Scale, y: float, kind: str) -> Rung:
    found = row.estimate(SCORE)
    assert found is not None  # every configuration of a table has it
    interval = bar(row, SCORE, found)
    value = score.spread(found.mean, ends(found))
    room = int((x.end - x.start - LETTER * (len(value) + 2)) / LETTER)
    return Rung(
        y,
        x(found.mean),
        label if len(label) <= room else label[: room - 2] + " …",
        value,
        row.evidence,
        found.mean > x.high,
        None if interval is None else (x(interval[0]), x(interval[1])),
        tuple(x(value) for value in dots(row, SCORE)),
        kind,
        f"{row.name}\n{value} {score.unit}".rstrip() + f"\n{plural(len(row.trials), 'seed')}",
        median_of(row.trials).key,
    )
