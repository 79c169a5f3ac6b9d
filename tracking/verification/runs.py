"""Proves from plan, storage and MLflow that no trial is lost, doubled or stuck, and no number altered."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tracking.errors import RecordError
from tracking.left_out import is_lost
from tracking.mlflow import mapping as view
from tracking.published import publication_faults
from tracking.ranking import ranking_faults
from tracking.records import chain
from tracking.records.contents import other_data
from tracking.records.planned import former_spec_sha256s
from tracking.records.records import SweepRecord, TrialRecord
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.fault import Fault, FaultKind
from tracking.verification.storage import storage_faults
from tracking.verification.trials import TrialCheck, file_faults, is_settling, logged_points

if TYPE_CHECKING:
    from tracking.mlflow.client import Run

# Tags of the parent that change with every trial.
_GROWING = ("sweeps.trials", "sweeps.cpu_hours", "sweeps.gpu_hours")
_TRIALS_AT_ONCE = 100


def verify(
    storage: SweepStorage,
    store: RunStore,
    looked_at: Callable[[int], None] = lambda trials: None,
) -> list[Fault]:
    """Everything that is wrong with a sweep.

    Args:
        storage: the sweep.
        store: where it is recorded, open.
        looked_at: called now and then with the number of trials whose runs were compared.

    Raises:
        RecordError: no such sweep.
    """
    storage.spec()
    found = list(storage_faults(storage))
    if any(fault.kind is FaultKind.UNREADABLE_PLAN for fault in found):
        return found
    record = storage.record()
    found += [Fault(key, what, FaultKind.DIFFERENT) for key, what in other_data(record)]
    return found + list(run_faults(storage, store, record, looked_at))


def run_faults(
    storage: SweepStorage,
    store: RunStore,
    record: SweepRecord,
    looked_at: Callable[[int], None] = lambda trials: None,
) -> Iterator[Fault]:
    """Everything in MLflow that is not what the record says."""
    live = live_session(storage) is not None
    parents: list[Run] = []
    configurations: list[Run] = []
    runs: dict[str, list[Run]] = {}
    for run in store.client.runs({"sweeps.name": record.name}):
        kind = run.tags.get("sweeps.kind")
        if kind == "sweep":
            parents.append(run)
        elif kind == "trial":
            runs.setdefault(run.tags.get("sweeps.trial_key", ""), []).append(run)
        elif kind == "configuration":
            configurations.append(run)
        elif kind != "reproduction":
            what = f"MLflow: run {run.id} bears the sweep's name and is none of its runs"
            yield Fault(None, what, FaultKind.EXTRA)
    if (fault := _foreign(storage, store, parents)) is not None:
        yield fault
        return
    yield from _parent_faults(storage, store, record, parents, live)
    if parents and not live:
        for what, is_extra in ranking_faults(record, store, parents[0], configurations):
            yield Fault(None, f"MLflow: {what}", FaultKind.EXTRA if is_extra else FaultKind.DIFFERENT)
    parent = parents[0].id if parents else ""
    check = TrialCheck(storage, store, record, parent, live, frozenset(view.metric_names(record)))
    for number, trials in enumerate(_batches(record.trials)):
        looked_at(number * _TRIALS_AT_ONCE)
        pairs = [(trial, runs.pop(trial.key, [])) for trial in trials]
        faults_of = partial(check.faults, logged_points(store, pairs))
        for trial, faults in zip(trials, store.client.each(faults_of, pairs), strict=True):
            if faults and not (live and is_settling(storage, trial.key)):
                yield from faults
    for key, extra in runs.items():
        for run in extra:
            what = "belongs to no trial of the plan"
            if is_lost(run, None):
                what += ": --repair leaves its result alone; delete the run in MLflow if the plan is right"
            yield Fault(key or None, f"MLflow: run {run.id} {what}", FaultKind.EXTRA)


def _foreign(storage: SweepStorage, store: RunStore, parents: "list[Run]") -> Fault | None:
    """That the runs are those of the sweep in another storage: what they hold says nothing about this one."""
    from tracking.runs.sweep_run import refuse_elsewhere  # loads MLflow

    try:
        for parent in parents[:1]:
            refuse_elsewhere(store.client, parent, storage)
    except RecordError as error:
        return Fault(None, f"MLflow: {error}", FaultKind.DIFFERENT)
    return None


def _parent_faults(
    storage: SweepStorage, store: RunStore, record: SweepRecord, parents: "list[Run]", live: bool
) -> Iterator[Fault]:
    if len(parents) != 1:
        what = f"MLflow: the sweep has {len(parents)} parent runs: must be 1"
        if not parents and store.is_experiment_deleted:
            what += f" (the experiment {store.experiment} was deleted: --repair restores it)"
        yield Fault(None, what, FaultKind.EXTRA if parents else FaultKind.MISSING)
    for run in parents[:1]:
        if chain.decision_altered(run.tags.get(chain.TAG), record):
            what = f"storage: {view.DECISION_ALTERED.format(run=run.id)}"
            yield Fault(None, what, FaultKind.ALTERED)
            return
        status, _ = view.sweep_status(record)
        if status == "RUNNING" and not live:
            what = f"MLflow: run {run.id} is left open by a driver that is gone"
            yield Fault(None, what, FaultKind.OPEN)
        elif run.status != status:
            what = f"MLflow: run {run.id} is {run.status}: must be {status}"
            yield Fault(None, what, FaultKind.DIFFERENT)
        expected = {
            name: text
            for name, text in view.sweep_tags(record).items()
            if not (live and name.startswith(_GROWING))
        }
        for name, text in expected.items():
            former = former_spec_sha256s(record.spec) if name == view.SPEC_SHA256 else frozenset()
            if run.tags.get(name) not in {text, *former}:
                what = f"MLflow: run {run.id} has {name} = {run.tags.get(name)}: must be {text}"
                yield Fault(None, what, FaultKind.DIFFERENT)
        for what in _shown_faults(store, record, run):
            yield Fault(None, f"MLflow: {what}", FaultKind.DIFFERENT)
        for kind, what in file_faults(store, run, view.sweep_files(record)):
            yield Fault(None, what, kind)
        for what in () if live else publication_faults(storage, store, run):
            yield Fault(None, what, FaultKind.DIFFERENT)


def _shown_faults(store: RunStore, record: SweepRecord, run: "Run") -> Iterator[str]:
    """What of source, fixed parameters and saved views is wrong, where they were recorded."""
    from tracking.runs.views import view_tags  # loads MLflow

    pairs = [(name, run.tags.get(name), text) for name, text in view.source_tags(record).items()]
    pairs += [(path, run.params.get(path), text) for path, text in view.fixed_params(record).items()]
    for name, found, text in pairs:
        if found not in (text, None):
            yield f"run {run.id} has {name} = {found}: must be {text}"
    if view.VIEWS in run.tags:
        known = store.client.experiment_tags(run.experiment_id)
        for name in view_tags(record):
            if name not in known:
                yield f"the saved view {name.rpartition('.')[2]} is gone"


def _batches(trials: Sequence[TrialRecord]) -> Iterator[Sequence[TrialRecord]]:
    """As many trials as MLflow answers for at once; what is read of them is dropped before the next."""
    for first in range(0, len(trials), _TRIALS_AT_ONCE):
        yield trials[first : first + _TRIALS_AT_ONCE]
