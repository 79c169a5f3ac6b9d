"""Proves from plan, storage and MLflow that no trial is lost, doubled or stuck, and no number altered."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracking import view
from tracking.faults import Fault, storage_faults
from tracking.records import SweepRecord, TrialRecord, TrialState
from tracking.sessions import live_session
from tracking.storage import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.client import Run

__all__ = ["Fault", "verify"]

_SETTLING_SECONDS = 30.0  # the recorder of a running sweep is at most this far behind
_SHOWN = 5
# Tags of the parent that change with every trial.
_GROWING = ("sweeps.trials", "sweeps.cpu_hours", "sweeps.gpu_hours")


def verify(storage: SweepStorage, store: RunStore, repair: bool = False) -> list[Fault]:
    """Everything that is wrong with a sweep.

    Args:
        storage: the sweep.
        store: where it is recorded, open.
        repair: first mend torn files, close what a killed driver left open, and bring MLflow to what storage
            holds: add what is missing, delete doubled runs, make runs anew that hold other numbers.

    Raises:
        RecordError: no such sweep, or ``repair`` while a driver works on it.
    """
    storage.spec()
    if repair:
        from tracking.repair import repair_runs

        repair_runs(storage, store)
    found = list(storage_faults(storage))
    if any("cannot be read" in fault.what for fault in found if fault.trial_key is None):
        return found  # without a plan that can be read, nothing else can be judged
    return found + list(run_faults(storage, store, storage.record()))


def run_faults(storage: SweepStorage, store: RunStore, record: SweepRecord) -> Iterator[Fault]:
    """Everything in MLflow that is not what the record says."""
    live = live_session(storage) is not None
    parents = store.client.runs({"sweeps.kind": "sweep", "sweeps.name": record.name})
    yield from _parent_faults(store, record, parents, live)
    runs: dict[str, list[Run]] = {}
    for run in store.trial_runs(record.name):
        runs.setdefault(run.tags.get("sweeps.trial_key", ""), []).append(run)
    for run in store.client.runs({"sweeps.name": record.name}):
        if run.tags.get("sweeps.kind") not in ("sweep", "trial", "reproduction"):
            yield Fault(None, f"MLflow: run {run.id} bears the sweep's name and is none of its runs")
    for trial in record.trials:
        own = runs.pop(trial.key, [])
        faults = list(_trial_faults(storage, store, trial, own, parents[0].id if parents else "", live))
        if faults and not (live and _settling(storage, trial.key)):
            yield from faults
    for key, extra in runs.items():
        for run in extra:
            yield Fault(key or None, f"MLflow: run {run.id} belongs to no trial of the plan")


def _parent_faults(store: RunStore, record: SweepRecord, parents: "list[Run]", live: bool) -> Iterator[Fault]:
    if len(parents) != 1:
        yield Fault(None, f"MLflow: the sweep has {len(parents)} parent runs: must be 1")
    for run in parents[:1]:
        status, _ = view.sweep_status(record)
        if status == "RUNNING" and not live:
            yield Fault(None, f"MLflow: run {run.id} is left open by a driver that is gone")
        elif run.status != status:
            yield Fault(None, f"MLflow: run {run.id} is {run.status}: must be {status}")
        expected = {
            name: text for name, text in view.sweep_tags(record).items() if not name.startswith(_GROWING)
        }
        for name, text in expected.items():
            if run.tags.get(name) != text:
                yield Fault(None, f"MLflow: run {run.id} has {name} = {run.tags.get(name)}: must be {text}")
        for what in _file_faults(store, run, view.sweep_files(record)):
            yield Fault(None, what)


def _trial_faults(
    storage: SweepStorage, store: RunStore, trial: TrialRecord, runs: "list[Run]", parent: str, live: bool
) -> Iterator[Fault]:
    expected = 0 if trial.state is TrialState.WAITING else 1
    if trial.state is TrialState.RUNNING and not live:
        yield Fault(trial.key, "it is RUNNING and nobody works on it: `sweeps resume`, or --repair closes it")
    if len(runs) != expected:
        ids = ", ".join(run.id for run in runs) or "none"
        yield Fault(
            trial.key, f"MLflow: it is {trial.state} and has {len(runs)} runs ({ids}): must be {expected}"
        )
    if not runs or not expected:
        return
    run = runs[0]
    for what in (
        *_state_faults(trial, run, parent),
        *_point_faults(store, trial, run),
        *_file_faults(store, run, _expected_files(storage, trial)),
    ):
        yield Fault(trial.key, what)


def _state_faults(trial: TrialRecord, run: "Run", parent: str) -> Iterator[str]:
    if run.status != view.STATUS[trial.state]:
        yield f"MLflow: run {run.id} is {run.status}: must be {view.STATUS[trial.state]}"
    if trial.state is not TrialState.RUNNING and run.end != view.trial_end(trial):
        yield f"MLflow: run {run.id} ended at {run.end}: must be {view.trial_end(trial)}"
    tags = {**view.trial_tags(trial), "mlflow.parentRunId": parent}
    for name, text in tags.items():
        if run.tags.get(name) != text:
            yield f"MLflow: run {run.id} has {name} = {run.tags.get(name)}: must be {text}"
    params = view.params(trial.config)
    for name in sorted({*params, *run.params}):
        if params.get(name) != run.params.get(name):
            yield f"MLflow: run {run.id} has {name} = {run.params.get(name)}: must be {params.get(name)}"
    content = trial.provenance.get("dataset_hash")
    if content and not any(name == trial.config.data.name for name, _ in run.datasets):
        yield f"MLflow: run {run.id} does not name its data set"


def _point_faults(store: RunStore, trial: TrialRecord, run: "Run") -> Iterator[str]:
    """Every value of storage once and no other: compared with its step, its time and all its bits."""
    expected = Counter([*view.epoch_points(trial.history), *view.final_points(trial)])
    keys = {*run.metrics, *(point.key for point in expected)}
    logged = Counter(point for key in sorted(keys) for point in store.client.history(run.id, key))
    yield from _listed(run, "lacks", expected - logged)
    yield from _listed(run, "has besides", logged - expected)


def _listed(run: "Run", verb: str, points: "Counter[view.Point]") -> Iterator[str]:
    if points:
        ordered = sorted(points, key=lambda point: (point.step, point.key))
        words = ", ".join(f"{point.key} = {point.value!r} at step {point.step}" for point in ordered[:_SHOWN])
        more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
        yield f"MLflow: run {run.id} {verb} {words}{more}"


def _expected_files(storage: SweepStorage, trial: TrialRecord) -> dict[str, bytes]:
    files = view.trial_files(trial)
    unit = storage.newest(trial.key) if trial.state is TrialState.COMPLETE else None
    if unit is not None and unit.weights is not None:
        files[view.WEIGHTS] = unit.weights
    return files


def _file_faults(store: RunStore, run: "Run", files: dict[str, bytes]) -> Iterator[str]:
    present = store.client.files(run.id)
    for path, content in files.items():
        if path not in present:
            yield f"MLflow: run {run.id} lacks the artifact {path}"
        elif store.client.read(run.id, path) != content:
            yield f"MLflow: the artifact {path} of run {run.id} is not what storage holds"


def _settling(storage: SweepStorage, key: str) -> bool:
    """Whether something of the trial is so new that the recorder may not have seen it."""
    changes = [s.changed for name, s in storage.names_of(key).items() if name != "progress.json"]
    return time.time() - max(changes, default=0.0) < _SETTLING_SECONDS
