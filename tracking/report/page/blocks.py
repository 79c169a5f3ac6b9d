"""What a section of the page is made of: values, which the templates write as HTML and escape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tracking.report.charts.plots import Chart, with_legend
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import between, ends, measured, nats

MOST_OPEN_ROWS = 25  # a longer table scrolls


@dataclass(frozen=True)
class Words:
    """A paragraph; ``kind`` is its class in the style sheet."""

    macro: ClassVar = "words"
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    macro: ClassVar = "heading"
    text: str


@dataclass(frozen=True)
class Figure:
    """An interactive figure.

    Attributes:
        plotly: ``data`` and ``layout`` as ``Plotly.newPlot`` takes them.
        caption: below the figure.
        axes: vertical axes of parallel coordinates, which scroll in a narrow window; else 0.
    """

    macro: ClassVar = "figure"
    plotly: dict[str, Any]
    caption: str
    axes: int = 0


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        shown: its text.
        small: text in grey behind it.
        sort: what sorting goes by; None sorts by the text.
        tag: ``taken``, ``better``, ``worse``, ``open`` or ``none`` draws the text as a label; empty does not.
        runs: links to trials' runs: what each says, and the trial's key.
    """

    shown: str
    small: str = ""
    sort: float | None = None
    tag: str = ""
    runs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Table:
    """A table that is sorted by a click on a heading.

    Attributes:
        head: the columns' headings.
        rows: a cell for each heading.
        marked: index of the row that is highlighted.
        title: what the rows have in common; empty where nothing needs saying.
    """

    macro: ClassVar = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    marked: int | None = None
    title: str = ""

    @property
    def numeric(self) -> list[bool]:
        """For each column whether it holds numbers."""
        return [any(row[index].sort is not None for row in self.rows) for index in range(len(self.head))]

    @property
    def long(self) -> bool:
        """Whether it scrolls within a frame."""
        return len(self.rows) > MOST_OPEN_ROWS


@dataclass(frozen=True)
class Picture:
    """A PNG in Base64 with the text that stands for it and its caption."""

    macro: ClassVar = "picture"
    base64: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Grids:
    """Pictures and figures side by side."""

    macro: ClassVar = "grids"
    pictures: Sequence[Picture | Figure]


@dataclass(frozen=True)
class Details:
    """What a reader opens: depth for the expert."""

    macro: ClassVar = "details"
    summary: str
    blocks: "Sequence[Block]"


Block = Words | Heading | Figure | Table | Grids | Details


@dataclass(frozen=True)
class Section:
    """A section that the table of contents links to; its title is a question."""

    anchor: str
    title: str
    blocks: Sequence[Block]


def chart(figure: Chart | None, caption: str, absent: str = "") -> list[Block]:
    """An interactive figure, or the sentence that says why there is none."""
    if figure is None or not figure.data:
        return [Words(absent, "note")] if absent else []
    axes = len(figure.data[0].get("dimensions", ()))
    return [Figure({"data": figure.data, "layout": with_legend(figure)}, caption, axes)]


def estimate_cell(found: Estimate | None, show: str = "number", unit: float = 1.0) -> Cell:
    """Mean and interval over seeds; a dash where nothing was measured."""
    if found is None:
        return Cell("–")
    scaled = ends(found)
    scaled = None if scaled is None else (scaled[0] / unit, scaled[1] / unit)
    mean = found.mean / unit
    if show == "nats":
        return Cell(nats(mean), between(scaled), mean)
    return Cell(*measured(mean, scaled), mean)
