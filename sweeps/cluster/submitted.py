"""Submitted sweeps: status, logs, list, stop, resume. Storage is asked first, then the cluster."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sweeps import changes
from sweeps.cluster.answers import Answer, Code, LogForPeople
from sweeps.cluster.ask import ask, ask_status, visible_sweep
from sweeps.cluster.destination import Destination
from sweeps.cluster.jobs import Cluster, Job
from sweeps.cluster.submit import STOP_WAIT_SECONDS, Submitted, announce, launch, next_number
from sweeps.machines.capacity import check_fits, waiting
from sweeps.status import status_json
from tracking.errors import RecordError
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubmittedSweep:
    """A sweep's jobs on a cluster, oldest first, and its storage as the cluster's nodes see it."""

    name: str
    cluster: Cluster
    jobs: tuple[Job, ...]
    storage: str | None

    @classmethod
    def find(cls, name: str, cluster: Cluster, storage: str | None) -> "SubmittedSweep":
        """The sweep on the cluster.

        Args:
            name: of the sweep.
            cluster: to which it was submitted.
            storage: as the user gave it; None takes the one of its newest job, else SWEEPS_STORAGE.
        """
        jobs = tuple(cluster.jobs(name))
        said = jobs[-1].metadata.get("sweeps.storage") if jobs else None
        return cls(name, cluster, jobs, storage or said or os.environ.get("SWEEPS_STORAGE"))

    @property
    def newest(self) -> Job | None:
        """The job that was submitted last."""
        return self.jobs[-1] if self.jobs else None

    @property
    def alive(self) -> Job | None:
        """The job that waits or runs."""
        return next((job for job in reversed(self.jobs) if job.is_alive), None)

    @property
    def visible(self) -> SweepStorage | None:
        """The sweep in storage; None when that is not visible from here."""
        return None if self.storage is None else visible_sweep(self.storage, self.name)

    def unknown(self) -> RecordError:
        """The error for a name that neither cluster nor storage has."""
        known = ", ".join(sorted({job.name for job in self.cluster.jobs()})) or "none"
        return RecordError(f"no sweep {self.name} on {self.cluster.address} (there: {known})")


def status(sweep: SubmittedSweep) -> dict[str, Any]:
    """What `status --json` says, with the key ``job``; no trials when the sweep was not created yet.

    Raises:
        RecordError: neither the cluster nor the storage has the sweep.
    """
    job, visible = sweep.newest, sweep.visible
    values: Mapping[str, Any] | None = None
    if visible is not None:
        values = status_json(visible)
    elif job is None or job.status != "PENDING":
        # A cluster that was restarted has forgotten its jobs, but its nodes still see the storage.
        values = ask_status(sweep.cluster, sweep.name, sweep.storage)
    if values is None and job is None:
        raise sweep.unknown()
    values = values or {"name": sweep.name, "storage": sweep.storage, "live": False, "trials": {}}
    return {**values, "job": None if job is None else job_json(job)}


def job_json(job: Job) -> dict[str, Any]:
    """A job as `status` and `list` show it."""
    return {"submission_id": job.id, "status": job.status, "message": explain(job)}


def explain(job: Job) -> str:
    """How a job ended, in one line."""
    if job.exit_code == 0:
        return "it finished"
    if job.exit_code == 130:
        return "it was stopped cleanly"
    if (answer := Answer.find(job.id, job.message)) is not None:
        return answer.message
    if job.exit_code is not None:
        return f"it ended with exit code {job.exit_code}: see `sweeps logs {job.name}`"
    return next((line.strip() for line in job.message.splitlines() if line.strip()), "")


def logs(
    sweep: SubmittedSweep, write: Callable[[str], None], notice: Callable[[str], None], *, follow: bool
) -> int:
    """Write what the newest job printed; the exit code: 0, or 1 when a job that was followed did not succeed.

    Raises:
        RecordError: it has no job.
    """
    job = sweep.newest
    if job is None:
        raise sweep.unknown()
    shown = LogForPeople(write)
    if not follow:
        shown.write(sweep.cluster.log(job.id))
        shown.end()
        return 0
    ended = sweep.cluster.follow(job.id, shown.write, notice)
    shown.end()
    notice(f"{ended.id}: {ended.status}" + (f": {explain(ended)}" if ended.exit_code else ""))
    return 0 if ended.status == "SUCCEEDED" else 1


def with_jobs(rows: Sequence[dict[str, Any]], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The rows of `list`, each with its newest job under ``job``; then the sweeps that only have jobs."""
    newest = {job.name: job for job in jobs}
    found = [
        {**row, "job": job_json(newest.pop(row["name"])) if row["name"] in newest else None} for row in rows
    ]
    for name, job in newest.items():
        found.append(
            {
                "name": name,
                "storage": job.metadata.get("sweeps.storage"),
                "started": job.begun,
                "live": False,
                "trials": {},
                "parent_run_id": None,
                "error": None,
                "job": job_json(job),
            }
        )
    return found


# The Job API's own wait, and some time to notice the end.
_KILL_SECONDS = STOP_WAIT_SECONDS + 30.0


class Stopped(Enum):
    """How a stop of a submitted sweep ended."""

    THROUGH_STORAGE = auto()
    # The driver did not answer in storage.
    THROUGH_JOB_API = auto()
    # The job was PENDING; the Job API ended it.
    BEFORE_IT_BEGAN = auto()
    NOT_WAITED_FOR = auto()
    NOT_RUNNING = auto()


def stop(sweep: SubmittedSweep, seconds: float) -> Stopped:
    """Stop a submitted sweep: through storage, and through the Job API when that gets no answer.

    Args:
        sweep: to stop.
        seconds: to wait for the driver's end before the Job API is asked; 0 asks storage and does not wait.

    Raises:
        RecordError: there is no such sweep, or it did not end at all.
    """
    job = sweep.alive
    if job is None:
        return _stop_without_job(sweep, seconds)
    if job.status == "PENDING":
        _end(sweep.cluster, job)
        return Stopped.BEFORE_IT_BEGAN
    if _ask_to_stop(sweep):
        if not seconds:
            return Stopped.NOT_WAITED_FOR
        if sweep.cluster.wait(job.id, seconds) is not None:
            return Stopped.THROUGH_STORAGE
        _log.info(f"no answer in {seconds:g} s: asking the Job API")
    _end(sweep.cluster, job)
    return Stopped.THROUGH_JOB_API


def _stop_without_job(sweep: SubmittedSweep, seconds: float) -> Stopped:
    visible = sweep.visible
    if visible is not None and changes.stop(visible, seconds):
        return Stopped.THROUGH_STORAGE if seconds else Stopped.NOT_WAITED_FOR
    if visible is None and not sweep.jobs:
        raise sweep.unknown()
    return Stopped.NOT_RUNNING


def _ask_to_stop(sweep: SubmittedSweep) -> bool:
    """Request the stop in storage; False when there is no driver yet, or storage cannot be reached."""
    if (visible := sweep.visible) is not None:
        return changes.stop(visible, 0)
    if sweep.storage is None:
        return False
    try:
        answer = ask(sweep.cluster, "stop", sweep.name, sweep.storage)
    except RecordError:
        return False
    if answer.code is not Code.STOP_REQUESTED:
        return False
    _log.info(answer.message)
    return True


def _end(cluster: Cluster, job: Job) -> None:
    cluster.stop(job.id)
    if cluster.wait(job.id, _KILL_SECONDS) is None:
        raise RecordError(f"{job.id} did not end in {_KILL_SECONDS:.0f} s: see `ray job status {job.id}`")


def resume(
    sweep: SubmittedSweep,
    tracking_uri: str | None,
    assignments: Sequence[str],
    *,
    retry_failed: bool,
) -> Submitted:
    """Submit a job that continues the sweep.

    Raises:
        UserError: the sweep is not there, a driver works on it, or it no longer fits the cluster.
    """
    if sweep.alive is not None:
        raise RecordError(f"{sweep.name} is {sweep.alive.status} as {sweep.alive.id}: {_wait_or_stop(sweep)}")
    said = sweep.newest.metadata.get("sweeps.tracking_uri") if sweep.newest is not None else None
    destination = Destination.checked(
        sweep.storage, tracking_uri or said or os.environ.get("MLFLOW_TRACKING_URI")
    )
    began_as = _spec_of_idle(sweep, destination)
    resources = changes.resumed_from(began_as, assignments).resources
    nodes = sweep.cluster.nodes()
    check_fits(resources, nodes)
    words = ["resume", sweep.name, *(["--retry-failed"] if retry_failed else [])]
    words += [word for assignment in assignments for word in ("--set", assignment)]
    submitted = launch(sweep.cluster, sweep.name, words, next_number(sweep.jobs), destination)
    announce(submitted, waiting(resources, nodes))
    return submitted


def _spec_of_idle(sweep: SubmittedSweep, destination: Destination) -> Mapping[str, Any]:
    """The spec of a sweep that no driver works on, from storage here or as the cluster's nodes see it."""
    if (visible := sweep.visible) is not None:
        if (session := live_session(visible)) is not None and not _is_over(session.started, sweep.jobs):
            raise RecordError(f"{sweep.name} is being run on {session.hostname}: {_wait_or_stop(sweep)}")
        return visible.spec()
    values = ask_status(sweep.cluster, sweep.name, destination.storage)
    if values is None:
        raise RecordError(f"no sweep {sweep.name} in {destination.storage} on {sweep.cluster.address}")
    if values["live"]:
        raise RecordError(f"{sweep.name} is being run: {_wait_or_stop(sweep)}")
    spec: Mapping[str, Any] = values["spec"]
    return spec


def _wait_or_stop(sweep: SubmittedSweep) -> str:
    return f"wait for it, or `sweeps stop {sweep.name} --cluster {sweep.cluster.address}`"


def _is_over(started: float, jobs: Sequence[Job]) -> bool:
    """Whether the driver that began then was that of a job that has ended; its heartbeat lasts longer."""
    return any(
        job.begun is not None and job.ended is not None and job.begun <= started <= job.ended for job in jobs
    )
