"""The signals that end a command: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_came: list[int] = []


def end_in_order() -> None:
    """Until somebody takes care of it, each of them ends a command as Ctrl-C does, contexts left in order."""
    _came.clear()
    for number in _heard():
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    raise KeyboardInterrupt


def refuse_to_go_on() -> None:
    """Raises KeyboardInterrupt where a signal came before and a library swallowed the one it raised."""
    if _came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a function take care of them."""
    previous = {number: signal.signal(number, handler) for number in _heard()}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def ignore() -> None:
    """From here on they come too late: the exit code says what was done."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def kept_from_children() -> Iterator[None]:
    """Processes that are started meanwhile do not hear SIGHUP: a closed terminal sends it to all of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heard() -> list[signal.Signals]:
    """Those that count: `nohup` ignores SIGHUP, a script's `&` ignores SIGINT, and both mean it."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
