"""Where a library's user sees what goes on: a notebook's output, else standard error, or nowhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from rich.console import Console

from sweeps.execution.display import Display, NoDisplay
from sweeps.screen.say import log_on
from sweeps.screen.terminal import Terminal

# Opens a display for as long as a method works.
Screen = Callable[[], AbstractContextManager[Display]]


@contextlib.contextmanager
def here() -> Iterator[Display]:
    """A notebook's output below the cell, or standard error."""
    if in_notebook():
        from sweeps.screen.notebook import Notebook

        console = Console(file=sys.stdout, width=120, force_jupyter=False, markup=False, emoji=False)
        with log_on(console):
            yield Notebook(console)
        return
    console = Console(stderr=True, markup=False, emoji=False)
    with log_on(console):
        yield Terminal(console)


@contextlib.contextmanager
def nowhere() -> Iterator[Display]:
    """Nothing is shown; what is logged goes where the program's own handlers take it."""
    yield NoDisplay()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose output is more than lines."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
