"""Proves that Ray can start workers, here or on a cluster: Ray itself waits for ever, without a word."""

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from iwae.errors import SweepError
from sweeps.spec.resources import Resources

# Raylets tell of each worker that they start, in their log.
_STARTED = re.compile(r"Started worker process with pid (\d+)")
MOST_SECONDS = 600.0
SILENT_SECONDS = 60.0
_log = logging.getLogger(__name__)
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
    deadline, ended = time.monotonic() + MOST_SECONDS, False
    while not ray.wait(answers, num_returns=1, timeout=_LOOK_SECONDS)[0]:
        if ended:
            raise SweepError(f"Ray cannot start a worker on this machine: {last_words(logs)}")
        ended = all_ended(logs)  # one that ended just after its answer has another look's time to be heard
        if time.monotonic() > deadline:
            raise SweepError(
                f"Ray started no worker on this machine in {MOST_SECONDS:g} s: {last_words(logs)}"
            )


@contextlib.contextmanager
def told_if_silent() -> Iterator[None]:
    """Say what may be wrong with a cluster that keeps a driver waiting: Ray itself says nothing."""
    timer = threading.Timer(
        SILENT_SECONDS,
        _log.warning,
        (
            f"the Ray cluster keeps this driver waiting for {SILENT_SECONDS:g} s: it may be unable to start"
            " a worker: see raylet.err in the logs of its nodes (/tmp/ray/session_latest/logs)",
        ),
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def await_cluster_worker(resources: Resources, waits: Callable[[], str | None]) -> str | None:
    """Wait for a worker of the cluster that this process is connected to.

    Args:
        resources: what a trial needs.
        waits: why a trial cannot start at once, because others use the cluster; None when it can.

    Returns:
        Why none has started, where others have workers on the cluster.

    Raises:
        SweepError: the cluster has no worker at all, or this one's code could not be brought there.
    """
    import ray

    probe = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=0)(lambda: None).remote()
    deadline = time.monotonic() + MOST_SECONDS
    while not ray.wait([probe], timeout=_LOOK_SECONDS)[0]:
        if time.monotonic() < deadline:
            continue
        ray.cancel(probe, force=True)
        # The probe itself holds the room of a trial, so what is free says nothing.
        if ray._private.state.state.workers():  # type: ignore[no-untyped-call]
            return waits() or "other work"
        raise SweepError(
            f"the Ray cluster started no worker in {MOST_SECONDS:g} s although a trial fits: see raylet.err"
            " in the logs of its nodes (/tmp/ray/session_latest/logs)"
        )
    try:
        ray.get(probe)
    except ray.exceptions.RayError as error:
        why = " ".join(str(error).split())[:300]
        raise SweepError(f"the Ray cluster cannot start a worker: {why}") from None
    return None


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
