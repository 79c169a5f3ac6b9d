"""Proves from plan, storage and MLflow that no trial is lost, doubled or stuck, and no number altered."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tracking import chain, view
from tracking.contents import other_data
from tracking.faults import Fault, storage_faults
from tracking.records import SweepRecord, TrialRecord, TrialState
from tracking.sessions import live_session
from tracking.spec_hash import former_spec_sha256
from tracking.storage import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.client import Run

__all__ = ["Fault", "verify"]

_SETTLING_SECONDS = 30.0  # the recorder of a running sweep is at most this far behind
_SHOWN = 5
# Tags of the parent that change with every trial.
_GROWING = ("sweeps.trials", "sweeps.cpu_hours", "sweeps.gpu_hours")
_TRIALS_AT_ONCE = 100


def verify(
    storage: SweepStorage, store: RunStore, repair: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    looked_at: Callable[[int], None] = lambda trials: None,
) -> list[Fault]:  # fmt: skip
    """Everything that is wrong with a sweep.

    Args:
        storage: the sweep.
        store: where it is recorded, open.
        repair: first mend torn files, close what a killed driver left open, and bring MLflow to what storage
            holds: add what is missing, delete doubled runs, make runs anew that hold other numbers. A result
            that only MLflow has stays, and is a fault.
        tell: called with a line for each file that was mended.
        looked_at: called now and then with the number of trials whose runs were compared.

    Raises:
        RecordError: no such sweep, or ``repair`` while a driver works on it.
    """
    storage.spec()
    if repair:
        from tracking.repair import repair_runs

        for line in repair_runs(storage, store):
            tell(line)
    found = list(storage_faults(storage))
    if any("cannot be read" in fault.what for fault in found if fault.trial_key is None):
        return found  # without a plan that can be read, nothing else can be judged
    record = storage.record()
    found += [Fault(key, what) for key, what in other_data(record)]
    return found + list(run_faults(storage, store, record, looked_at))


def run_faults(
    storage: SweepStorage, store: RunStore, record: SweepRecord,
    looked_at: Callable[[int], None] = lambda trials: None,
) -> Iterator[Fault]:  # fmt: skip
    """Everything in MLflow that is not what the record says."""
    live = live_session(storage) is not None
    parents: list[Run] = []
    runs: dict[str, list[Run]] = {}
    for run in store.client.runs({"sweeps.name": record.name}):
        kind = run.tags.get("sweeps.kind")
        if kind == "sweep":
            parents.append(run)
        elif kind == "trial":
            runs.setdefault(run.tags.get("sweeps.trial_key", ""), []).append(run)
        elif kind != "reproduction":
            yield Fault(None, f"MLflow: run {run.id} bears the sweep's name and is none of its runs")
    yield from _parent_faults(store, record, parents, live)
    parent = parents[0].id if parents else ""
    for number, trials in enumerate(_batches(record.trials)):
        looked_at(number * _TRIALS_AT_ONCE)
        pairs = [(trial, runs.pop(trial.key, [])) for trial in trials]
        check = partial(_trial_faults, storage, store, parent, live, _logged(store, pairs))
        for trial, faults in zip(trials, store.client.each(check, pairs), strict=True):
            if faults and not (live and _settling(storage, trial.key)):
                yield from faults
    for key, extra in runs.items():
        for run in extra:
            what = "belongs to no trial of the plan"
            if is_lost(run, None):
                what += ": --repair leaves its result alone; delete the run in MLflow if the plan is right"
            yield Fault(key or None, f"MLflow: run {run.id} {what}")


def is_lost(run: "Run", state: TrialState | None) -> bool:
    """Whether a trial's result is in its run and, by the state in which storage has the trial, only there."""
    return run.status == "FINISHED" and (state is None or view.STATUS.get(state) != "FINISHED")


def _parent_faults(store: RunStore, record: SweepRecord, parents: "list[Run]", live: bool) -> Iterator[Fault]:
    if len(parents) != 1:
        what = f"MLflow: the sweep has {len(parents)} parent runs: must be 1"
        if not parents and store.is_experiment_deleted:
            what += f" (the experiment {store.experiment} was deleted: --repair restores it)"
        yield Fault(None, what)
    for run in parents[:1]:
        if chain.decision_altered(run.tags.get(chain.TAG), record):
            yield Fault(None, f"storage: {view.DECISION_ALTERED.format(run=run.id)}")
            return
        status, _ = view.sweep_status(record)
        if status == "RUNNING" and not live:
            yield Fault(None, f"MLflow: run {run.id} is left open by a driver that is gone")
        elif run.status != status:
            yield Fault(None, f"MLflow: run {run.id} is {run.status}: must be {status}")
        expected = {
            name: text for name, text in view.sweep_tags(record).items() if not name.startswith(_GROWING)
        }
        for name, text in expected.items():
            former = {former_spec_sha256(record.spec)} if name == view.SPEC_SHA256 else set()
            if run.tags.get(name) not in {text, *former}:
                yield Fault(None, f"MLflow: run {run.id} has {name} = {run.tags.get(name)}: must be {text}")
        for what in _file_faults(store, run, view.sweep_files(record)):
            yield Fault(None, what)


def _batches(trials: Sequence[TrialRecord]) -> Iterator[Sequence[TrialRecord]]:
    """As many trials as MLflow answers for at once; what is read of them is dropped before the next."""
    for first in range(0, len(trials), _TRIALS_AT_ONCE):
        yield trials[first : first + _TRIALS_AT_ONCE]


def _logged(store: RunStore, pairs: "Sequence[tuple[TrialRecord, list[Run]]]") -> dict[str, list[view.Point]]:
    """Every value that was logged to the run of each trial, by run id."""
    checked = {runs[0].id: (trial, runs[0]) for trial, runs in pairs if runs}
    return store.client.histories.of_many(
        {
            run_id: {*run.metrics, *(point.key for point in _expected_points(trial))}
            for run_id, (trial, run) in checked.items()
        }
    )


def _expected_points(trial: TrialRecord) -> list[view.Point]:
    return [*view.epoch_points(trial.history), *view.final_points(trial)]


def _trial_faults(
    storage: SweepStorage, store: RunStore, parent: str, live: bool, logged: dict[str, list[view.Point]],
    pair: "tuple[TrialRecord, list[Run]]",
) -> list[Fault]:  # fmt: skip
    trial, runs = pair
    if lost := [run.id for run in runs if is_lost(run, trial.state)]:
        again = f"sweeps resume {storage.name}"
        if trial.state is TrialState.FAILED:
            again += " --retry-failed"
        what = (
            f"MLflow: run {', '.join(lost)} is FINISHED and storage, where the trial is {trial.state}, has no"
            f" result of it: `{again}` trains the trial again and replaces the run"
        )
        return [Fault(trial.key, what)]
    if runs and (changed := chain.altered(runs[0].tags.get(chain.TAG), trial)) is not None:
        folder = f"{storage.uri}/trials/{trial.key}"
        path = folder if changed == chain.ATTEMPTS else f"{folder}/{changed}"
        words = view.RESULT_ALTERED.format(what=changed, run=runs[0].id, path=path, sweep=storage.name)
        return [Fault(trial.key, f"storage: {words}")]
    faults = _run_faults(trial, runs, live)
    if runs and trial.state is not TrialState.WAITING:
        run = runs[0]
        for what in (
            *_state_faults(trial, run, parent),
            *_point_faults(trial, run, logged[run.id]),
            *_file_faults(store, run, _expected_files(storage, trial)),
        ):
            faults.append(Fault(trial.key, what))
    return faults


def _run_faults(trial: TrialRecord, runs: "list[Run]", live: bool) -> list[Fault]:
    faults = []
    expected = 0 if trial.state is TrialState.WAITING else 1
    if trial.state is TrialState.RUNNING and not live:
        what = "it is RUNNING and nobody works on it: `sweeps resume`, or --repair closes it"
        faults.append(Fault(trial.key, what))
    if len(runs) != expected:
        ids = ", ".join(run.id for run in runs) or "none"
        what = f"MLflow: it is {trial.state} and has {len(runs)} runs ({ids}): must be {expected}"
        faults.append(Fault(trial.key, what))
    return faults


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


def _point_faults(trial: TrialRecord, run: "Run", points: list[view.Point]) -> Iterator[str]:
    """Every value of storage once and no other: compared with its step, its time and all its bits."""
    expected, logged = Counter(_expected_points(trial)), Counter(points)
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
    return files if unit is None else {**files, **view.unit_files(unit)}


def _file_faults(store: RunStore, run: "Run", files: dict[str, bytes]) -> Iterator[str]:
    for path, content in files.items():
        found = store.client.artifacts.read_if_there(run.id, path)
        if found is None:
            yield f"MLflow: run {run.id} lacks the artifact {path}"
        elif found != content:
            yield f"MLflow: the artifact {path} of run {run.id} is not what storage holds"


def _settling(storage: SweepStorage, key: str) -> bool:
    """Whether something of the trial is so new that the recorder may not have seen it."""
    changes = [s.changed for name, s in storage.names_of(key).items() if name != "progress.json"]
    return time.time() - max(changes, default=0.0) < _SETTLING_SECONDS
