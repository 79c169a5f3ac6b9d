"""What is known of a submitted sweep: status, logs, list; storage is asked first, the cluster second."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iwae.errors import RecordError
from sweeps.jobs import Cluster, Job
from sweeps.overview import status_json
from sweeps.remote import ask_status, visible_sweep
from tracking.storage import SweepStorage


@dataclass(frozen=True)
class SubmittedSweep:
    """A sweep's jobs on a cluster, oldest first, and where it lies, as the cluster's nodes see it."""

    name: str
    cluster: Cluster
    jobs: tuple[Job, ...]
    storage: str | None

    @classmethod
    def find(cls, name: str, cluster: Cluster, storage: str | None) -> "SubmittedSweep":
        """The sweep on the cluster.

        Args:
            name: of the sweep.
            cluster: that it was submitted to.
            storage: as the user gave it; None takes what its newest job was submitted with.
        """
        jobs = tuple(cluster.jobs(name))
        said = jobs[-1].metadata.get("sweeps.storage") if jobs else None
        return cls(name, cluster, jobs, storage or said or os.environ.get("SWEEPS_STORAGE"))

    @property
    def newest(self) -> Job | None:
        """The newest job."""
        return self.jobs[-1] if self.jobs else None

    @property
    def alive(self) -> Job | None:
        """The job that waits or runs."""
        return next((job for job in reversed(self.jobs) if job.is_alive), None)

    @property
    def visible(self) -> SweepStorage | None:
        """The sweep in storage, when that is visible from here."""
        return None if self.storage is None else visible_sweep(self.storage, self.name)

    def unknown(self) -> RecordError:
        """Nothing of this name is known."""
        known = ", ".join(sorted({job.name for job in self.cluster.jobs()})) or "none"
        return RecordError(f"no sweep {self.name} on {self.cluster.address} (there: {known})")


def status(sweep: SubmittedSweep) -> dict[str, Any]:
    """`status` as JSON, with the key ``job``; without trials when the sweep was not created yet.

    Raises:
        RecordError: neither the cluster nor the storage knows the sweep.
    """
    job, visible, values = sweep.newest, sweep.visible, None
    if visible is not None:
        values = status_json(visible)
    elif job is None or job.status != "PENDING":
        # A cluster that was started anew has forgotten its jobs; its nodes know where sweeps lie.
        values = ask_status(sweep.cluster, sweep.name, sweep.storage)
    if values is None and job is None:
        raise sweep.unknown()
    values = values or {"name": sweep.name, "storage": sweep.storage, "live": False, "trials": {}}
    return {**values, "job": None if job is None else job_json(job)}


def job_json(job: Job) -> dict[str, Any]:
    """A job as `status` and `list` show it."""
    return {"submission_id": job.id, "status": job.status, "message": explain(job)}


def explain(job: Job) -> str:
    """What became of a job, in one line."""
    if job.exit_code == 0:
        return "it ended in order"
    if job.exit_code == 130:
        return "it was stopped in order"
    lines = [line.strip() for line in job.message.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if errors:
        return errors[-1]
    if job.exit_code is not None:
        return f"it ended with exit code {job.exit_code}: see `sweeps logs {job.name}`"
    return lines[0] if lines else ""


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
    if not follow:
        write(sweep.cluster.log(job.id))
        return 0
    ended = sweep.cluster.follow(job.id, write, notice)
    notice(f"{ended.id}: {ended.status}" + (f": {explain(ended)}" if ended.exit_code else ""))
    return 0 if ended.status == "SUCCEEDED" else 1


def with_jobs(rows: Sequence[dict[str, Any]], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The rows of `list`, each with its newest job under ``job``, and a row for every job without one."""
    newest = {job.name: job for job in jobs}
    found = [
        {**row, "job": job_json(newest.pop(row["name"])) if row["name"] in newest else None} for row in rows
    ]
    for name, job in newest.items():
        found.append({
            "name": name, "storage": job.metadata.get("sweeps.storage"), "started": job.begun,
            "live": False, "trials": {}, "parent_run_id": None, "error": None, "job": job_json(job),
        })  # fmt: skip
    return found
