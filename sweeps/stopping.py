"""What ends a sweep early: signals and the budget. Both ask through storage, as `sweeps stop` does."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from rich.console import Console

from sweeps.spec import SweepSpec
from tracking.storage import SweepStorage


@contextlib.contextmanager
def stop_on_signals(storage: SweepStorage, console: Console) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the trials to stop, through storage; the second ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            console.print(f"ended at once; go on with: sweeps resume {storage.name}", highlight=False)
            raise KeyboardInterrupt
        asked = True
        storage.request_stop(signal.Signals(number).name)
        console.print("stopping: every trial writes a checkpoint first (once more to end at once)")

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextlib.contextmanager
def wall_clock_budget(spec: SweepSpec, storage: SweepStorage) -> Iterator[None]:
    """Asks the trials to stop when this session's wall clock is used up."""
    if spec.budget.wall_clock is None:
        yield
        return
    timer = threading.Timer(spec.budget.wall_clock, storage.request_stop, ["budget"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
