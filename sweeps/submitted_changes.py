"""What is done to a submitted sweep: stop and resume."""

import os
from collections.abc import Sequence

from rich.console import Console

from iwae.errors import RecordError
from sweeps import lifecycle
from sweeps.capacity import check_fits, waiting
from sweeps.destination import Destination
from sweeps.jobs import Cluster, Job
from sweeps.output import say
from sweeps.remote import ask, ask_status
from sweeps.submission import STOP_WAIT_SECONDS, Submitted, announce, launch, next_number
from sweeps.submitted import SubmittedSweep
from tracking.sessions import live_session

# The Job API's own wait, and time to notice.
_KILL_SECONDS = STOP_WAIT_SECONDS + 30.0


def stop(sweep: SubmittedSweep, console: Console, seconds: float) -> str:
    """Stop a submitted sweep: through storage, and through the Job API when that gets no answer.

    Args:
        sweep: to stop.
        console: where it says what it does.
        seconds: to wait for the driver's end before the Job API is asked; 0 asks storage and does not wait.

    Returns:
        How it ended, in words.

    Raises:
        RecordError: there is no such sweep, or it did not end at all.
    """
    job = sweep.alive
    if job is None:
        return _stop_without_job(sweep, console, seconds)
    if job.status == "PENDING":
        return _end(sweep.cluster, job, "it had not begun: ended through the Job API")
    if _ask_to_stop(sweep, console):
        if not seconds:
            return "not waited for"
        if sweep.cluster.wait(job.id, seconds) is not None:
            return "stopped through storage"
        say(console, f"no answer in {seconds:g} s: asking the Job API")
    return _end(sweep.cluster, job, "ended through the Job API")


def _stop_without_job(sweep: SubmittedSweep, console: Console, seconds: float) -> str:
    visible = sweep.visible
    if visible is not None and lifecycle.stop(visible, console, seconds):
        return "stopped through storage"
    if visible is None and not sweep.jobs:
        raise sweep.unknown()
    return f"{sweep.name} is not running"


def _ask_to_stop(sweep: SubmittedSweep, console: Console) -> bool:
    """Leave the request in storage; False when no driver works on the sweep yet, or nobody could leave it."""
    if (visible := sweep.visible) is not None:
        return lifecycle.stop(visible, console, 0)
    if sweep.storage is None:
        return False
    try:
        _, lines = ask(sweep.cluster, ["stop", sweep.name, "--storage", sweep.storage, "--timeout", "0"])
    except RecordError:
        return False
    asked = [line for line in lines if line.startswith("asked ")]
    for line in asked:
        say(console, line)
    return bool(asked)


def _end(cluster: Cluster, job: Job, how: str) -> str:
    cluster.stop(job.id)
    if cluster.wait(job.id, _KILL_SECONDS) is None:
        raise RecordError(f"{job.id} did not end in {_KILL_SECONDS:.0f} s: see `ray job status {job.id}`")
    return how


def resume(
    sweep: SubmittedSweep, tracking_uri: str | None, assignments: Sequence[str], console: Console, *,
    retry_failed: bool,
) -> Submitted:  # fmt: skip
    """Submit a job that goes on with the sweep.

    Raises:
        UserError: the sweep is not there, somebody runs it, or it cannot run there any more.
    """
    if sweep.alive is not None:
        raise RecordError(f"{sweep.name} is {sweep.alive.status} as {sweep.alive.id}: {_wait_or_stop(sweep)}")
    said = sweep.newest.metadata.get("sweeps.tracking_uri") if sweep.newest is not None else None
    destination = Destination.checked(
        sweep.storage, tracking_uri or said or os.environ.get("MLFLOW_TRACKING_URI")
    )
    if (visible := sweep.visible) is not None:
        if (session := live_session(visible)) is not None and not _is_over(session["started"], sweep.jobs):
            raise RecordError(f"{sweep.name} is being run on {session['hostname']}: {_wait_or_stop(sweep)}")
        began_as = visible.spec()
    else:
        values = ask_status(sweep.cluster, sweep.name, destination.storage)
        if values is None:
            raise RecordError(f"no sweep {sweep.name} in {destination.storage} of {sweep.cluster.address}")
        if values["live"]:
            raise RecordError(f"{sweep.name} is being run: {_wait_or_stop(sweep)}")
        began_as = values["spec"]
    resources = lifecycle.resumed_from(began_as, assignments).resources
    nodes = sweep.cluster.nodes()
    check_fits(resources, nodes)
    words = ["resume", sweep.name, *(["--retry-failed"] if retry_failed else [])]
    words += [word for assignment in assignments for word in ("--set", assignment)]
    submitted = launch(sweep.cluster, sweep.name, words, next_number(sweep.jobs), destination)
    announce(submitted, waiting(resources, nodes), console)
    return submitted


def _wait_or_stop(sweep: SubmittedSweep) -> str:
    return f"wait for it, or `sweeps stop {sweep.name} --cluster {sweep.cluster.address}`"


def _is_over(started: float, jobs: Sequence[Job]) -> bool:
    """Whether the driver that began then was that of a job that has ended; its heartbeat lasts longer."""
    return any(
        job.begun is not None and job.ended is not None and job.begun <= started <= job.ended for job in jobs
    )
