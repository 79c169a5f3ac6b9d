"""Submits a sweep to a cluster's Job API, after every check that can be made from here."""

import logging
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iwae.errors import ConfigError
from sweeps.cluster.answers import JOB_VARIABLE
from sweeps.cluster.ask import ask_status, visible_sweep
from sweeps.cluster.destination import Destination
from sweeps.cluster.jobs import Cluster, Job
from sweeps.errors import JobExistsError, NameTakenError
from sweeps.machines.capacity import check_fits, waiting
from sweeps.machines.package import SPEC_FILE, pack, pack_sweep
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec
from tracking.addresses import secrets
from tracking.errors import RecordError
from tracking.records.records import PlannedTrial
from tracking.store import RunStore

# Between SIGTERM and SIGKILL, when the Job API ends a job; Ray's own 3 s are too few for checkpoints.
STOP_WAIT_SECONDS = 60
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submitted:
    """A job that the cluster accepted."""

    name: str
    submission_id: str
    cluster: str
    storage: str
    tracking_uri: str


def submit(spec: SweepSpec, cluster: Cluster, destination: Destination) -> Submitted:
    """Submit a new sweep and return.

    Raises:
        UserError: the spec cannot run there, or the name is taken; nothing was submitted.
    """
    _refuse_relative_data(draw_plan(spec), spec)
    nodes = cluster.nodes()
    check_fits(spec.resources, nodes)
    jobs = cluster.jobs(spec.name)
    _refuse_taken(spec.name, cluster, jobs, destination)
    submitted = launch(cluster, spec.name, ["run", SPEC_FILE], next_number(jobs), destination, spec)
    announce(submitted, waiting(spec.resources, nodes))
    return submitted


def launch(
    cluster: Cluster,
    name: str,
    words: Sequence[str],
    number: int,
    destination: Destination,
    spec: SweepSpec | None = None,
) -> Submitted:
    """Submit the job with this number of a sweep, which runs a sweeps command on the cluster.

    Raises:
        NameTakenError: another process has submitted a job with this number in the meantime.
    """
    id_ = f"sweeps-{name}-{number:04d}"
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_SECONDS), JOB_VARIABLE: id_}
    with tempfile.TemporaryDirectory(prefix="sweeps-submit-") as folder:
        pack(Path(folder))
        pack_sweep(Path(folder), None if spec is None else spec.to_dict())
        try:
            cluster.submit(
                id_, _entry_point(words, destination), Path(folder), _metadata(name, destination), variables
            )
        except JobExistsError:
            raise taken(name, cluster.address, f"{id_} was submitted in the meantime") from None
    return Submitted(name, id_, cluster.address, destination.storage, destination.tracking_uri)


def _entry_point(words: Sequence[str], destination: Destination) -> str:
    where = ["--storage", destination.storage, "--tracking-uri", destination.tracking_uri]
    command = ["python", "-m", "sweeps", *words, "--address", "auto", *where]
    # `exec` leaves no shell in between, so the signal that ends the job reaches the driver.
    return f"exec {shlex.join(command)}"


def _metadata(name: str, destination: Destination) -> dict[str, str]:
    return {
        "sweeps.name": name,
        "sweeps.command": shlex.join(["sweeps", *secrets.command(sys.argv[1:])]),
        "sweeps.storage": destination.storage,
        "sweeps.tracking_uri": destination.tracking_uri,
    }


def announce(submitted: Submitted, waits: str | None) -> None:
    """Say what was submitted, why it waits if it does, and how to see it."""
    _log.info(f"{submitted.name}: submitted as {submitted.submission_id} to {submitted.cluster}")
    if waits is not None:
        _log.info(f"  waits: {waits}")
    _log.info(f"  follow: sweeps logs {submitted.name} --follow --cluster {submitted.cluster}")
    _log.info(f"  status: sweeps status {submitted.name} --cluster {submitted.cluster}")


def next_number(jobs: Sequence[Job]) -> int:
    """The number of the sweep's next job."""
    return max((job.number for job in jobs), default=0) + 1


def _refuse_relative_data(plan: Sequence[PlannedTrial], spec: SweepSpec) -> None:
    for config in [spec.base, *(trial.config for trial in plan)]:
        path = config.data.path
        if path is not None and not Path(path).is_absolute():
            raise ConfigError(
                "base.data.path", f"{path} is not allowed: must be absolute, as the cluster's nodes see it"
            )


def _refuse_taken(name: str, cluster: Cluster, jobs: Sequence[Job], destination: Destination) -> None:
    """Refuse a name that a job, the storage or the tracking store has.

    A job that ended before it made the sweep leaves the name free.
    """
    alive = [job for job in jobs if job.is_alive]
    if alive:
        raise taken(name, cluster.address, f"{alive[-1].id} is {alive[-1].status}")
    if visible_sweep(destination.storage, name) is not None:
        raise taken(name, cluster.address, f"it is in {destination.storage}")
    looked_up = True
    try:
        if RunStore(destination.tracking_uri).open(reading=True).find_sweep(name) is not None:
            raise taken(name, cluster.address, f"{destination.tracking_uri} has it")
    except NameTakenError:
        raise
    except RecordError:
        looked_up = False
    # A cluster that was restarted has forgotten its jobs, but its storage still has their sweeps.
    if (jobs or not looked_up) and ask_status(cluster, name, destination.storage) is not None:
        raise taken(name, cluster.address, f"it is in {destination.storage} on the cluster")


def taken(name: str, cluster: str, why: str) -> NameTakenError:
    """The refusal of a name in use."""
    return NameTakenError(
        f"name: {name} is not allowed: must be new ({why}); go on with"
        f" `sweeps resume {name} --cluster {cluster}`, or choose another --name"
    )
