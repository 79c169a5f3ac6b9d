"""Waiting for what another thread or process does: for the event, with a limit that only a hang reaches."""

import subprocess
import time
from collections.abc import Callable

PATIENCE_SECONDS = 900.0


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    """Wait for a condition; where a process is named that must make it true, fail when it ends before."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        ended = process is not None and process.poll() is not None
        assert not ended or condition(), process.communicate() if process is not None else None
        assert time.monotonic() < end, f"it did not happen in {PATIENCE_SECONDS:.0f} s"
        time.sleep(0.05)
