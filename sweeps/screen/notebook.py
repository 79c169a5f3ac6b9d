"""What a notebook shows: the table of trials, replaced in place, and a sweep as its cell's value."""

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from html import escape
from typing import Any

from rich.console import Console, RenderableType

from sweeps.execution.progress import Board
from sweeps.screen.live import LiveTable
from sweeps.screen.status import show_status
from sweeps.screen.terminal import Terminal

WIDTH, HEIGHT = 120, 40
_PRE = '<pre style="line-height:1.3;overflow-x:auto">{code}</pre>'


class InPlace:
    """A part of a cell's output that each update replaces; the three methods of `rich.live.Live` it needs.

    It takes no widgets: an output with a display id is replaced in every notebook and when one is executed
    without a browser.
    """

    def start(self) -> None:
        """Begin with nothing."""
        from IPython.display import HTML, display

        self._handle = display(HTML(""), display_id=True)  # type: ignore[no-untyped-call]

    def update(self, renderable: RenderableType, *, refresh: bool = False) -> None:
        """Show it in place of what was shown before."""
        from IPython.display import HTML

        self._handle.update(HTML(html_of(renderable)))  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Leave what was shown last."""


class Notebook(Terminal):
    """A `Display` in a notebook: lines for what is said, one table for the trials."""

    def trials(self, board: Board, name: str) -> AbstractContextManager[object]:
        """Show the trials in one table that changes in place."""
        return LiveTable(board, name, Console(width=WIDTH, height=HEIGHT), InPlace())


def html_of(what: RenderableType) -> str:
    """What rich would print on a terminal, as HTML."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=WIDTH,
        height=HEIGHT,
        force_terminal=True,
        force_jupyter=False,
        color_system="truecolor",
        markup=False,
        emoji=False,
    )
    console.print(what)
    return console.export_html(inline_styles=True, code_format=_PRE)


def sweep_html(values: Mapping[str, Any], report: str) -> str:
    """A sweep as the value of a cell: where it stands, the best so far, and where its report is.

    Args:
        values: as `sweeps.status.status_json` gives them.
        report: address of the report's page.
    """
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, force_jupyter=False, markup=False, emoji=False)
    show_status({"job": None, **values}, console)
    link = f'<a href="{escape(_href(report))}">report</a> <code>{escape(report)}</code>'
    return f"<pre>{escape(text.getvalue())}</pre><p>{link}</p>"


def _href(address: str) -> str:
    return f"file://{address}" if address.startswith("/") else address
