"""Pieces of the page. Text goes in as text and comes out escaped; only these functions make markup."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tracking.report.charts.plots import Chart, with_legend
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import between, ends, measured, nats

MOST_OPEN_ROWS = 25  # a longer table scrolls


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        shown: its text.
        small: text in grey behind it.
        sort: what sorting goes by; None sorts by the text.
        tag: ``yes``, ``no`` or ``none`` draws the text as a label; empty does not.
    """

    shown: str
    small: str = ""
    sort: float | None = None
    tag: str = ""

    def html(self, numeric: bool) -> str:
        """The cell's markup; ``numeric`` says that its column holds numbers."""
        inner = escape(self.shown)
        if self.tag:
            inner = f'<span class="tag {self.tag}">{inner}</span>'
        if self.small:
            inner += f" <small>{escape(self.small)}</small>"
        attributes = ' class="n"' if numeric else ""
        attributes += f' data-sort="{self.sort!r}"' if self.sort is not None else ""
        return f"<td{attributes}>{inner}</td>"


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


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(words)}</p>" if words else ""


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], marked: int | None = None) -> str:
    """A table that sorts by a click; row number ``marked`` is tinted, and a long one scrolls in its frame."""
    numeric = [any(row[i].sort is not None for row in rows) for i in range(len(head))]
    heads = "".join(
        f"<th{' class=n' if n else ''}>{escape(name).replace('_', '_<wbr>')}</th>"
        for name, n in zip(head, numeric, strict=True)
    )
    lines = (
        f"<tr{' class=best' if index == marked else ''}>"
        + "".join(cell.html(n) for cell, n in zip(row, numeric, strict=True))
        + "</tr>"
        for index, row in enumerate(rows)
    )
    body = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    kind = "scroll long" if len(rows) > MOST_OPEN_ROWS else "scroll"
    return f'<div class="{kind}"><table>{body}</table></div>'


def chart(figure: Chart | None, caption: str, absent: str = "") -> str:
    """An interactive figure, or the sentence that says why there is none."""
    if figure is None:
        return paragraph(absent, "note")
    layout = with_legend(figure)
    data = json.dumps({"data": figure.data, "layout": layout}, allow_nan=False).replace("<", "\\u003c")
    height = layout["height"]
    return (
        f'<figure><div class="chart" style="height:{height}px"></div>'
        f'<script type="application/json" data-chart>{data}</script>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def image(png: bytes, alt: str) -> str:
    """A picture, embedded."""
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def section(anchor: str, title: str, *parts: str) -> str:
    """A section that the table of contents can point to."""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'
