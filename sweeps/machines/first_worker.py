"""Proves that Ray can start workers on this machine: Ray itself waits for one forever, without a word."""

import os
import re
import time
from pathlib import Path

from iwae.errors import SweepError
from sweeps.spec.resources import Resources

# Raylets tell of each worker that they start, in their log.
_STARTED = re.compile(r"Started worker process with pid (\d+)")
_MOST_SECONDS = 600.0
_LOOK_SECONDS = 1.0


def await_first_worker(resources: Resources, cpus: int) -> None:
    """Start a worker for each trial that fits on this machine, and wait for the first of them.

    Args:
        resources: what a trial needs.
        cpus: those that Ray was given.

    Raises:
        SweepError: every worker ended while it started, with its own last words; or none answered.
    """
    import ray
    from ray._private.worker import _global_node

    # Trials are begun in the same workers.
    number = max(1, min(cpus, int(cpus / resources.cpus), resources.max_concurrent or cpus))
    answer = ray.remote(num_cpus=min(cpus, resources.cpus))(lambda: None)
    answers = [answer.remote() for _ in range(number)]
    logs = Path(_global_node.get_logs_dir_path())  # type: ignore[attr-defined]
    deadline, ended = time.monotonic() + _MOST_SECONDS, False
    while not ray.wait(answers, num_returns=1, timeout=_LOOK_SECONDS)[0]:
        if ended:
            raise SweepError(f"Ray cannot start a worker on this machine: {last_words(logs)}")
        ended = all_ended(logs)  # one that ended just after its answer has another look's time to be heard
        if time.monotonic() > deadline:
            raise SweepError(
                f"Ray started no worker on this machine in {_MOST_SECONDS:g} s: {last_words(logs)}"
            )


def all_ended(logs: Path) -> bool:
    """Whether a raylet has started workers, and none of them runs any more."""
    pids = [int(pid) for path in logs.glob("raylet*.out") for pid in _STARTED.findall(_text(path))]
    return bool(pids) and not any(_runs(pid) for pid in pids)


def last_words(logs: Path) -> str:
    """The last line that a worker wrote before it had a log of its own, and where there may be more."""
    for path in sorted(logs.glob("raylet*.err")):
        lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
        if lines:
            return f"{lines[-1][:300]} (see {path})"
    return f"see {logs}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # An ended process stays until its parent has asked for it.
    return ") Z " not in _text(Path(f"/proc/{pid}/stat"))
