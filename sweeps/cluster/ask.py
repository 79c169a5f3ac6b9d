"""A sweeps command run on the cluster as a tiny job, to look at storage that is not visible from here."""

import contextlib
import json
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iwae.errors import SweepError
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


def ask_status(cluster: Cluster, name: str, storage: str | None) -> dict[str, Any] | None:
    """What `status --json` says on the cluster; None when the storage there holds no such sweep.

    Args:
        cluster: to ask.
        name: of the sweep.
        storage: as the nodes see it; None is the one that their environment names.

    Raises:
        RecordError: the command did not end in time, or failed for another reason.
    """
    where = [] if storage is None else ["--storage", storage]
    code, lines = ask(cluster, ["status", name, "--json", *where])
    if code == 0:
        with contextlib.suppress(StopIteration):
            values: dict[str, Any] = next(_objects(reversed(lines)))
            return values
    elif code == 2 and any(line.startswith(f"error: no sweep {name} ") for line in lines):
        return None
    raise RecordError(f"{cluster.address}: {_error(lines)}")


def ask(cluster: Cluster, words: Sequence[str]) -> tuple[int | None, list[str]]:
    """Run a sweeps command on the cluster, wait for it, and leave no trace of it.

    Returns:
        Its exit code (None when it was ended from outside) and the lines that it printed.

    Raises:
        RecordError: it did not end in time.
    """
    id_ = f"sweeps-ask-{secrets.token_hex(6)}"
    # Empty: the command itself looks at storage, whatever the nodes' environment says.
    command = shlex.join(["python", "-m", "sweeps", *words, "--cluster", ""])
    with tempfile.TemporaryDirectory(prefix="sweeps-ask-") as folder:
        pack(Path(folder))
        cluster.submit(id_, f"exec {command}", Path(folder), {"sweeps.ask": words[0]}, {})
    try:
        job = cluster.wait(id_, ASK_SECONDS)
        if job is None:
            raise RecordError(f"{cluster.address} did not answer `sweeps {words[0]}` in {ASK_SECONDS:.0f} s")
        return job.exit_code, cluster.log(id_).splitlines()
    finally:
        _forget(cluster, id_)


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


def _objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _error(lines: Sequence[str]) -> str:
    """The last line that says what is wrong."""
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return said[-1] if said else (lines[-1] if lines else "no output")
