"""Where a running sweep shows what it does: a terminal, a pipe, or nowhere.

What is said once goes to the logger ``sweeps``. A display shows what comes and goes.
"""

import contextlib
from contextlib import AbstractContextManager
from typing import Protocol

from sweeps.execution.progress import Board


class Display(Protocol):
    """Shows what goes on, each as long as its context is open."""

    def checking(self, what: str) -> AbstractContextManager[object]:
        """A check that takes seconds, after those that do not: with it come a command's first words."""
        ...

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """A step that may take seconds."""
        ...

    def trials(self, board: Board, name: str) -> AbstractContextManager[object]:
        """The trials of the sweep with this name."""
        ...


class NoDisplay:
    """Shows nothing."""

    def checking(self, what: str) -> AbstractContextManager[object]:
        """Say nothing."""
        return contextlib.nullcontext()

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Say nothing."""
        return contextlib.nullcontext()

    def trials(self, board: Board, name: str) -> AbstractContextManager[object]:
        """Show nothing."""
        return contextlib.nullcontext()
