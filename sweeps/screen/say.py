"""Words on standard error while something goes on."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    pass


SILENT_SECONDS = 2.0


def say(console: Console, text: str) -> None:
    """Print a line as it is: no wrapping inside paths, no highlighting, no markup."""
    console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def looking(console: Console, what: str) -> Iterator[None]:
    """Say on a terminal what is being looked at; in a pipe a mistake that is found is the one line."""
    with console.status(what) if console.is_terminal else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def patience(console: Console, what: str) -> Iterator[None]:
    """Say what takes long: at once on a terminal, where the line goes away again, else after two seconds."""
    if console.is_terminal:
        with console.status(what):
            yield
        return
    timer = threading.Timer(SILENT_SECONDS, say, (console, what))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
