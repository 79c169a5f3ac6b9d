"""The signals that end a command: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed.

This module alone installs, restores and ignores handlers. A handler raises KeyboardInterrupt, or leaves the
signal's name for a thread that asks for a stop: it writes nothing itself.
"""

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_came: list[int] = []


def end_in_order() -> None:
    """Each of them ends a command as Ctrl-C does, contexts left in order, until `asking` takes them over."""
    _came.clear()
    for number in _heard():
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    raise KeyboardInterrupt


def refuse_to_go_on() -> None:
    """Raise KeyboardInterrupt where a signal came before and a library swallowed the one it raised."""
    if _came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def asking(ask: Callable[[str], None]) -> Iterator[None]:
    """The first signal asks for a stop, the second raises KeyboardInterrupt.

    Signals are heard in the main thread alone: in another one nothing changes.

    Args:
        ask: is given the signal's name, in a thread; it has returned when the context is left.

    Raises:
        KeyboardInterrupt: a signal came before the context was entered.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # a handler may interrupt its own `put`
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        came.put(signal.Signals(number).name)

    def wait() -> None:
        if (name := came.get()) is not None:
            ask(name)

    with _handled_by(handler):
        refuse_to_go_on()
        thread = threading.Thread(target=wait, name="signals", daemon=True)
        thread.start()
        try:
            yield
        finally:
            came.put(None)
            thread.join()


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
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
def kept() -> Iterator[None]:
    """Undo what a library makes of SIGTERM meanwhile; only the main thread can set handlers."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


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
