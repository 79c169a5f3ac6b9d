"""Takes back runs of a sweep that were deleted by hand or lost their kind."""

from collections.abc import Container
from typing import TYPE_CHECKING

from tracking.mlflow import mapping as view
from tracking.records.records import SweepRecord, TrialState
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.mlflow.client import Run

_KIND = "sweeps.kind"


def reclaim(record: SweepRecord, store: RunStore) -> list[str]:
    """Give runs their kind again, and restore from the trash those that nothing stands for.

    A run that is taken back keeps the notes, tags, values and files that people added to it. Whether it holds
    what storage holds is looked at afterwards.

    Returns:
        What was done, in a line each.
    """
    done = []
    begun = {trial.key: trial for trial in record.trials if trial.state is not TrialState.WAITING}
    starts = {key: view.trial_start(trial) for key, trial in begun.items()}
    starts["sweep"] = view.sweep_start(record)
    runs = store.client.runs({"sweeps.name": record.name})
    for run in runs:
        kind = _kind(run, begun)
        if kind is not None and run.tags.get(_KIND) != kind:
            store.client.log(run.id, tags={_KIND: kind})
            done.append(f"MLflow: run {run.id} was no {kind} any more")
    there = {_identity(run, begun) for run in runs}
    thrown = store.client.runs({"sweeps.name": record.name}, deleted=True)
    for run in reversed(thrown):  # the newest stands for the record best
        identity = _identity(run, begun)
        # One of a deleted sweep of the same name began at another moment.
        if identity is not None and identity not in there and run.start == starts[identity]:
            store.client.restore(run.id)
            there.add(identity)
            done.append(f"MLflow: run {run.id} was in the trash")
    store.forget(record.name)
    return done


def _identity(run: "Run", begun: Container[str]) -> str | None:
    """The key of the trial whose run it is, or ``sweep``; None where it is neither."""
    kind = _kind(run, begun)
    return run.tags["sweeps.trial_key"] if kind == "trial" else kind


def _kind(run: "Run", begun: Container[str]) -> str | None:
    """What a run is by what else it says of itself; None for a reproduction, and for what is foreign."""
    if "sweeps.original_run_id" in run.tags:
        return None
    if run.tags.get("sweeps.trial_key") in begun:
        return "trial"
    is_parent = "sweeps.spec_sha256" in run.tags and "sweeps.trial_key" not in run.tags
    return "sweep" if is_parent else None
