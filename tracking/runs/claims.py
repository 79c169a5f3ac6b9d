"""One sweep a name in a tracking store: of several that begin at once, in whatever storages, one gets it.

MLflow has no unique names. So a parent run begins as an open claim, every claimant looks at the others, and
a claim becomes held only when no other one is left. Of two open claims the one with the smaller run id stays;
it waits until the other one is withdrawn, or held by a claimant that looked before there were two.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tracking.errors import RecordError
from tracking.mlflow import mapping as view
from tracking.records.records import SweepRecord
from tracking.records.source import Source

if TYPE_CHECKING:
    from tracking.mlflow.client import Client, Run
    from tracking.mlflow.local_sweeps import Parent

_CLAIM, _OPEN, _HELD = "sweeps.claim", "open", "held"
PATIENCE_SECONDS = 20.0
_LOOK_SECONDS = 0.2


def parent_runs(client: "Client", name: str) -> "list[Run]":
    """Every run that says it is the parent of the sweep with this name, open claims too; oldest first."""
    return client.runs({"sweeps.kind": "sweep", "sweeps.name": name})


def is_open(run: "Run | Parent") -> bool:
    """Whether a parent run is a claim that nothing came of, or not yet."""
    return run.tags.get(_CLAIM) == _OPEN


def claim(client: "Client", experiment_id: str, record: SweepRecord, tags: Mapping[str, str]) -> "Run":
    """The parent run of a new sweep.

    Args:
        client: the tracking store.
        experiment_id: where the run goes.
        record: the sweep.
        tags: of the run.

    Raises:
        RecordError: the name belongs to another sweep, or another one is about to get it.
    """
    source = record.source
    assert source is not None
    left = [run for run in parent_runs(client, record.name) if is_open(run)]
    own = next((run for run in left if source.is_at(_storage(run))), None)  # of a killed driver
    if own is None:
        first = {**tags, _CLAIM: _OPEN}
        own = client.create_run(experiment_id, record.name, view.sweep_start(record), first)
    try:
        _settle(client, own)
    except BaseException:
        with contextlib.suppress(RecordError):
            client.delete(own.id)
        raise
    client.log(own.id, tags={_CLAIM: _HELD})
    return own


def _settle(client: "Client", own: "Run") -> None:
    """Wait until the claim is the only one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    name = own.tags["sweeps.name"]
    while others := [run for run in parent_runs(client, name) if run.id != own.id]:
        winner = next((run for run in others if not is_open(run) or run.id < own.id), None)
        if winner is not None or time.monotonic() > deadline:
            raise taken(client, name, _storage(winner or others[0]))
        time.sleep(_LOOK_SECONDS)


def refuse_recorded(client: "Client", source: Source[object]) -> None:
    """Check that the tracking store knows no sweep of this name; a storage that has it was asked before.

    Raises:
        RecordError: it does.
    """
    name = source.name
    run = next((run for run in parent_runs(client, name) if not is_open(run)), None)
    if run is None:
        return
    if not source.is_at(_storage(run)):
        raise taken(client, name, _storage(run))
    raise RecordError(
        f"name: {name} is not allowed: must be new in {client.uri}, which has the runs of a sweep whose files"
        f" are not, or no longer, in {source.root}: bring them back, or choose another --name"
    )


def taken(client: "Client", name: str, where: str) -> RecordError:
    """The refusal of a name that belongs to a sweep elsewhere."""
    return RecordError(
        f"name: {name} is not allowed: must be new in {client.uri}, where it is the sweep in {where}:"
        " choose another --name, or another --tracking-uri"
    )


def _storage(run: "Run") -> str:
    return run.tags.get("sweeps.storage", "")
