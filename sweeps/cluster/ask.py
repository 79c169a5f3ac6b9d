"""Questions to the cluster, each answered by a small job: the storage may not be visible from here."""

import contextlib
import secrets
import shlex
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iwae.errors import SweepError
from sweeps.cluster.answers import Answer, Code, Question
from sweeps.cluster.jobs import Cluster
from sweeps.machines.package import pack
from tracking.errors import RecordError
from tracking.files.places import open_storage
from tracking.storage.sweep import SweepStorage

ASK_SECONDS = 120.0


def visible_sweep(storage: str, name: str) -> SweepStorage | None:
    """The sweep, when its storage is visible from here and holds it."""
    try:
        sweep = SweepStorage(open_storage(storage), name)
        return sweep if sweep.exists else None
    except SweepError:
        return None


def ask_status(cluster: Cluster, name: str, storage: str | None) -> Mapping[str, Any] | None:
    """What `status --json` says on the cluster; None when the storage there holds no such sweep.

    Args:
        cluster: to ask.
        name: of the sweep.
        storage: as the nodes see it; None is the one that their environment names.

    Raises:
        RecordError: no answer in time, or the storage cannot be read there.
    """
    answer = ask(cluster, "status", name, storage)
    if answer.code is Code.NO_SWEEP:
        return None
    if answer.status is None:
        raise RecordError(f"{cluster.address}: {answer.message}")
    return answer.status


def ask(cluster: Cluster, what: str, name: str, storage: str | None) -> Answer:
    """Ask a question (see `Question`) through a job, wait for its answer, and delete the job.

    Raises:
        RecordError: no answer in time, or the job ended without one.
    """
    question = Question(what, name, storage, f"sweeps-ask-{secrets.token_hex(6)}")
    command = shlex.join(["python", "-m", "sweeps.cluster.answering", question.to_json()])
    with tempfile.TemporaryDirectory(prefix="sweeps-ask-") as folder:
        pack(Path(folder))
        cluster.submit(question.job, f"exec {command}", Path(folder), {"sweeps.ask": what}, {})
    try:
        if cluster.wait(question.job, ASK_SECONDS) is None:
            raise RecordError(f"{cluster.address} gave no {what} of {name} in {ASK_SECONDS:.0f} s")
        log = cluster.log(question.job)
    finally:
        _forget(cluster, question.job)
    if (answer := Answer.find(question.job, log)) is None:
        said = log.strip().splitlines()
        raise RecordError(f"{cluster.address} gave no {what} of {name}: {said[-1] if said else 'no output'}")
    return answer


def _forget(cluster: Cluster, id_: str) -> None:
    with contextlib.suppress(RecordError):
        if cluster.job(id_).is_alive:
            cluster.stop(id_)
            cluster.wait(id_, 30)
        # Ray looks at a job once a second. When it finds the job's process gone and its entry deleted, it
        # writes an entry of a failed job: so delete until the entry stays away, `job` then raises.
        for _ in range(5):
            cluster.delete(id_)
            time.sleep(1.5)
            cluster.job(id_)
