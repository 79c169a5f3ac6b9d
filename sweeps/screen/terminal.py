"""The display of the command line: status lines and the live table on a terminal, plain lines in a pipe."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

from rich.console import Console

from sweeps.execution.progress import Board
from sweeps.screen.live import LiveTable
from sweeps.screen.say import say

SILENT_SECONDS = 2.0


class Terminal:
    """A `sweeps.execution.display.Display` on a console.

    Args:
        console: where; what it shows on a terminal goes away again, what it prints in a pipe stays.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def checking(self, what: str) -> AbstractContextManager[object]:
        """Show what is checked, at once."""
        if self._console.is_terminal:
            return self._console.status(what)
        say(self._console, what)
        return contextlib.nullcontext()

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Show what takes long: at once on a terminal, in a pipe after two seconds."""
        return self._console.status(what) if self._console.is_terminal else self._said_late(what)

    def trials(self, board: Board, name: str) -> AbstractContextManager[object]:
        """Show the trials: a live table on a terminal, in a pipe a line for each trial that ends."""
        return LiveTable(board, name, self._console)

    @contextlib.contextmanager
    def _said_late(self, what: str) -> Iterator[None]:
        timer = threading.Timer(SILENT_SECONDS, say, (self._console, what))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
