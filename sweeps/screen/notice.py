"""What runs when a sweep has ended: the user's command, which hears how it ended as JSON.

The command is run by the shell, as cron would run it. Nothing of the sweep is put into its text: what it
hears comes on standard input alone. Whatever becomes of it, the sweep and its exit code stay as they are.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from iwae.errors import SweepError, UserError
from sweeps.result import SweepResult
from sweeps.screen.results import result_json
from tracking.addresses.secrets import masked
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

# A mail or a request takes seconds; a command that hangs must not keep a cluster's job alive.
SECONDS = 60.0
_log = logging.getLogger(__name__)


class Ending(Protocol):
    """A sweep that is about to end: what `sweeps.sweep.Sweep` has of it."""

    result: SweepResult | None

    @property
    def storage(self) -> SweepStorage:
        """Its files."""
        ...

    @property
    def store(self) -> RunStore:
        """Its tracking store."""
        ...


@contextlib.contextmanager
def notified(sweep: Ending, command: str | None) -> Iterator[None]:
    """Run a command when the work inside has ended, in whatever way; not where nothing was started.

    Args:
        sweep: that ends; its ``result`` is set inside.
        command: of the shell; None runs nothing.
    """
    started = time.monotonic()
    try:
        yield
    except UserError:
        raise  # a mistake: nothing was started
    except Exception as error:
        if command is not None:
            tell(command, _failure(sweep, error, time.monotonic() - started))
        raise
    if command is not None and sweep.result is not None:
        tell(command, notice_json(sweep.result, sweep.store.tracking_uri))


def notice_json(result: SweepResult, tracking_uri: str) -> dict[str, Any]:
    """What `run --json` prints, how it ended, and the exit code."""
    code = 130 if result.outcome == "interrupted" else int(result.failed)
    return {
        **result_json(result, tracking_uri),
        "outcome": result.outcome,
        "error": result.untold,
        "exit_code": code,
    }


def _failure(sweep: Ending, error: Exception, seconds: float) -> dict[str, Any]:
    trials: Mapping[str, int] = {}
    with contextlib.suppress(SweepError, OSError):
        trials = sweep.storage.record().counts
    said, _ = masked(" ".join(str(error).split()))
    return {
        "name": sweep.storage.name,
        "parent_run_id": None,
        "tracking_uri": sweep.store.tracking_uri,
        "storage": sweep.storage.root,
        "seconds": seconds,
        "trials": dict(trials),
        "best": None,
        "outcome": "failed",
        "error": said or type(error).__name__,
        "exit_code": 1,
    }


def tell(command: str, values: Mapping[str, Any]) -> None:
    """Run a command with a JSON object on standard input; what goes wrong is one line."""
    text = json.dumps(values, allow_nan=False) + "\n"
    try:
        # Standard output holds the sweep's own result; a session of its own does not hear Ctrl-C.
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.PIPE, stdout=_stderr(), start_new_session=True, text=True
        )
    except OSError as error:
        _log.warning(f"notify: {command} could not be started: {error.strerror or error}")
        return
    try:
        process.communicate(text, timeout=SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as cut:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        why = (
            "was interrupted"
            if isinstance(cut, KeyboardInterrupt)
            else f"ran for {SECONDS:g} s and was ended"
        )
        _log.warning(f"notify: {command} {why}")
    else:
        if process.returncode:
            _log.warning(f"notify: {command} ended with exit code {process.returncode}")


def _stderr() -> int | None:
    """This process's standard error; where it is closed, nowhere."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # a notebook's has no number
        return subprocess.DEVNULL
