"""A Ray cluster as its Job API shows it: nodes, jobs of sweeps, logs."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sweeps.cluster.client import answered, connect, probe
from sweeps.errors import ConnectionLostError, JobExistsError
from sweeps.machines.capacity import Node
from tracking.errors import RecordError
from tracking.records.names import PATTERN

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_RETRY_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_ID = re.compile(rf"sweeps-(?P<name>{PATTERN})-(?P<number>\d{{4,}})")
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        id: the submission id, ``sweeps-<name>-0001``.
        status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        message: what Ray says about it, with the last lines of its log.
        exit_code: of its driver; None while it runs, or when it was killed before its driver began.
        begun, ended: seconds since 1970.
    """

    id: str
    status: str
    message: str
    exit_code: int | None
    begun: float | None
    ended: float | None
    metadata: Mapping[str, str]

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.metadata["sweeps.name"]

    @property
    def number(self) -> int:
        """Which of the sweep's jobs it is, from 1."""
        return int(self.id.rpartition("-")[2])

    @property
    def is_alive(self) -> bool:
        """Whether it waits or runs."""
        return self.status not in ENDED


class Cluster:
    """A connection to a Ray cluster's dashboard.

    Args:
        address: of the dashboard, as ``cluster_address`` gives it.

    Raises:
        RecordError: no server answers, it is not Ray, or the token is missing or wrong.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        probe(address)
        self._client = self._answered(lambda: connect(address))

    def nodes(self) -> list[Node]:
        """The nodes that are up."""
        rows = self._get("/api/v0/nodes?limit=10000")["data"]["result"]["result"]
        usage = self._usage()
        return [_node(row, usage) for row in rows if row["state"] == "ALIVE"]

    def _usage(self) -> Mapping[str, Mapping[str, Sequence[float]]]:
        """Used and total by node and resource; empty where the cluster does not say."""
        status = self._get("/api/cluster_status")["data"].get("clusterStatus") or {}
        usage: dict[str, Any] = (status.get("loadMetricsReport") or {}).get("usageByNode") or {}
        return usage

    def jobs(self, name: str | None = None) -> list[Job]:
        """The jobs of sweeps, or of one sweep, oldest first."""
        found = [_job(details) for details in self._answered(self._client.list_jobs) if _is_sweep(details)]
        return sorted(
            (job for job in found if name in (None, job.name)), key=lambda job: (job.name, job.number)
        )

    def job(self, id_: str) -> Job:
        """A job, asked afresh."""
        return _job(self._answered(lambda: self._client.get_job_info(id_)))

    def submit(
        self,
        id_: str,
        entry_point: str,
        folder: Path,
        metadata: Mapping[str, str],
        variables: Mapping[str, str],
    ) -> None:
        """Hand a job to the cluster, with the content of a folder.

        Raises:
            JobExistsError: the id is taken.
        """
        environment = {"working_dir": str(folder), "env_vars": dict(variables)}
        try:
            self._answered(
                lambda: self._client.submit_job(
                    entrypoint=entry_point,
                    submission_id=id_,
                    runtime_env=environment,
                    metadata=dict(metadata),
                )
            )
        except ConnectionLostError:
            raise
        except RecordError:
            if self._has(id_):  # Ray has no code for this refusal
                raise JobExistsError(f"{self.address}: there is a job {id_}") from None
            raise

    def _has(self, id_: str) -> bool:
        try:
            self.job(id_)
        except RecordError:
            return False
        return True

    def stop(self, id_: str) -> None:
        """Ask the cluster to end a job: SIGTERM, then SIGKILL when it does not end."""
        self._answered(lambda: self._client.stop_job(id_))

    def delete(self, id_: str) -> None:
        """Delete the entry of a job that ended."""
        self._answered(lambda: self._client.delete_job(id_))

    def log(self, id_: str) -> str:
        """Everything that a job printed so far."""
        return str(self._answered(lambda: self._client.get_job_logs(id_)))

    def wait(self, id_: str, seconds: float) -> Job | None:
        """The job once it has ended; None when it has not within this many seconds.

        Raises:
            ConnectionLostError: the cluster did not answer when the time was over.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                if not (job := self.job(id_)).is_alive:
                    return job
            except ConnectionLostError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                return None
            time.sleep(0.5)

    def follow(self, id_: str, write: Callable[[str], None], notice: Callable[[str], None]) -> Job:
        """Write a job's log as it grows, each line once, until the job ended; returns the job as it ended.

        After a lost connection it connects again. It asks for the whole log each time (a sweep prints one
        line a trial) and skips what was written before by its length.
        """
        shown, lost = 0, False
        while True:
            try:
                job = self.job(id_)  # before its log: what it printed last is then in there
                text = self.log(id_)
                write(text[shown:])
                shown = len(text)
                if not job.is_alive:
                    return job
                lost = False
            except ConnectionLostError:
                if not lost:
                    notice(f"lost the connection to {self.address}: the job goes on; trying again")
                lost = True
            time.sleep(_RETRY_SECONDS if lost else _LOOK_SECONDS)

    def _get(self, path: str) -> Any:
        def get() -> Any:
            response = self._client._do_request("GET", path)
            response.raise_for_status()
            return response.json()

        return self._answered(get)

    def _answered(self, call: Callable[[], T]) -> T:
        return answered(self.address, call)


def _is_sweep(details: Any) -> bool:
    name = (details.metadata or {}).get("sweeps.name")
    match = _ID.fullmatch(details.submission_id or "")
    return match is not None and match["name"] == name


def _job(details: Any) -> Job:
    return Job(
        details.submission_id,
        str(getattr(details.status, "value", details.status)),
        details.message or "",
        details.driver_exit_code,
        _seconds(details.start_time),
        _seconds(details.end_time),
        details.metadata or {},
    )


def _seconds(milliseconds: int | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _node(row: Mapping[str, Any], usage: Mapping[str, Mapping[str, Sequence[float]]]) -> Node:
    total = row["resources_total"]
    used = usage.get(row["node_id"])
    cpus, gpus = float(total.get("CPU", 0)), float(total.get("GPU", 0))
    if used is None:
        return Node(cpus, gpus)
    return Node(cpus, gpus, cpus - used.get("CPU", (0,))[0], gpus - used.get("GPU", (0,))[0])
