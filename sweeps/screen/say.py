"""Lines for people, as they are: no wrapping inside paths, no highlighting, no markup."""

import contextlib
import logging
from collections.abc import Iterator

from rich.console import Console

LOGGER = "sweeps"


def say(console: Console, text: str) -> None:
    """Print a line."""
    console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)


class _Lines(logging.Handler):
    """Prints what is logged, without level and time."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        say(self._console, self.format(record))


@contextlib.contextmanager
def log_on(console: Console) -> Iterator[None]:
    """Show on a console what the sweep says, and nowhere else: libraries put handlers on the root logger."""
    logger, lines = logging.getLogger(LOGGER), _Lines(console)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)
        logger.propagate = propagate
