"""Brings MLflow back to what storage holds, whatever happened to it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tracking.errors import AwayError, IncompleteError, RecordError
from tracking.figures import trial_figures
from tracking.left_out import believed, is_lost
from tracking.mlflow import mapping as view
from tracking.published import forget_broken_models, publication_faults
from tracking.ranking import rank, ranking_faults
from tracking.records import chain
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.storage.sessions import live_session, stop_leftovers
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.mend import mend
from tracking.verification.reclaim import reclaim
from tracking.verification.runs import run_faults
from tracking.verification.storage import altered_trials

if TYPE_CHECKING:
    from tracking.mlflow.client import Run


def repair_sweep(storage: SweepStorage, store: RunStore) -> list[str]:
    """Mend torn files, close what a killed driver left open, and bring MLflow to what storage holds.

    Runs, epochs and files that are missing are added, runs that are doubled or foreign deleted, and runs that
    hold other numbers made anew, with what people wrote to them. A result that MLflow has and storage lost
    stays as it is: `sweeps resume` trains that trial again. What was altered in storage is left to a person.

    Returns:
        What was mended, in a line each.

    Raises:
        RecordError: no such sweep, a driver works on it, or the runs are those of a sweep in another storage.
        IncompleteError: the tracking store went away when something was mended already.
    """
    storage.spec()
    if (session := live_session(storage)) is not None:
        raise RecordError(
            f"{storage.name} is being run by process {session.pid} on {session.hostname}:"
            " repair it when that has ended"
        )
    mended = mend(storage)
    try:
        _refuse_elsewhere(storage, store)
        return [*mended, *_bring_back(storage, store)]
    except AwayError as error:
        raise IncompleteError(
            f"{error}: {storage.name} is not repaired to the end: see to it, then"
            f" `sweeps verify {storage.name} --repair`"
        ) from error


def _refuse_elsewhere(storage: SweepStorage, store: RunStore) -> None:
    from tracking.runs.sweep_run import refuse_elsewhere  # loads MLflow

    if (parent := store.find_parent(storage.name)) is not None:
        refuse_elsewhere(store.client, parent, storage)


def _bring_back(storage: SweepStorage, store: RunStore) -> list[str]:
    """Bring MLflow to what storage holds; returns what was mended, in a line each."""
    mended = []
    if store.find_sweep(storage.name) is None and store.restore_experiment(storage.name):
        mended.append(
            f"MLflow: the experiment {store.experiment} was deleted: restored with the runs of"
            f" {storage.name}; what else was in it stays in the trash"
        )
    _close_leftovers(storage)
    record = storage.record()
    mended += reclaim(record, store)
    parent = store.find_parent(storage.name)
    if parent is not None and chain.decision_altered(parent.tags.get(chain.TAG), record):
        return mended
    lost = _delete_extra_runs(record, store) | _altered(storage, record, store)
    _make_the_same(storage, store, record, lost)
    if lost and (parent := store.find_parent(storage.name)) is not None:
        store.client.log(parent.id, tags=view.sweep_tags(storage.record()))
        store.forget(storage.name)
    if (parent := store.find_parent(storage.name)) is not None:
        mended += _publish_again(storage, store, parent)
    return mended


def _make_the_same(storage: SweepStorage, store: RunStore, record: SweepRecord, lost: set[str]) -> None:
    """Add to the runs what they lack, and make those anew that still differ; ``lost`` trials keep theirs."""

    def shown() -> SweepRecord:
        # A trial that has not begun gets no run, and keeps the one that it has.
        now = storage.record()
        trials = (TrialRecord(t.plan, TrialState.WAITING) if t.key in lost else t for t in now.trials)
        return replace(now, trials=tuple(trials))

    store.sync(record, trial_figures, afresh=True, reread=shown)
    # A run cannot take a value back: one that still differs is replaced.
    faulty = {fault.trial_key for fault in run_faults(storage, store, record)} - {None} - lost
    if not faulty:
        return
    replaced = [run for run in store.trial_runs(storage.name) if run.tags.get("sweeps.trial_key") in faulty]
    for run in replaced:
        store.client.delete(run.id)
    store.sync(record, trial_figures, afresh=True, reread=shown)
    for run in replaced:
        _carry_over(record, store, run)


def _publish_again(storage: SweepStorage, store: RunStore, parent: "Run") -> list[str]:
    """Publish again what is not as it was published: the report, the best model, the ranked runs."""
    faults = list(publication_faults(storage, store, parent))
    if faults:
        from tracking.publish import attach  # with all that draws

        forget_broken_models(storage, store)
        attach(storage.record(), storage, store, parent.id)
        parent = store.client.run(parent.id)
    runs = store.client.runs({"sweeps.kind": "configuration", "sweeps.name": storage.name})
    stale = [f"MLflow: {what}" for what, _ in ranking_faults(storage.record(), store, parent, runs)]
    if stale:
        rank(believed(storage.record(), store)[0], storage, store, parent.id)
    return [f"{what}: published again" for what in (*faults, *stale)]


def _carry_over(record: SweepRecord, store: RunStore, old: "Run") -> None:
    from tracking.runs.carry_over import carry_over

    trial = record.trial(old.tags["sweeps.trial_key"])
    new = store.trial_run_id(record.name, trial.key)
    if new is not None and new != old.id:
        carry_over(store.client, old, new, trial, view.metric_names(record))


def _altered(storage: SweepStorage, record: SweepRecord, store: RunStore) -> set[str]:
    """Keys of trials that were altered in storage, by its seals or by what MLflow knows of their chains."""
    found = altered_trials(storage)
    states = {trial.key: trial for trial in record.trials}
    for run in store.trial_runs(record.name):
        trial = states.get(run.tags.get("sweeps.trial_key", ""))
        if trial is not None and chain.altered(run.tags.get(chain.TAG), trial) is not None:
            found.add(trial.key)
    return found


def _close_leftovers(storage: SweepStorage) -> None:
    """Say of drivers and trials that were killed that they ended; `sweeps resume` goes on with them."""
    for number in storage.session_numbers():
        session = storage.session(number)
        if session is not None and session.ended is None:
            ended = {"ended": session.heartbeat, "outcome": "interrupted"}
            storage.write_session(number, session.model_copy(update=ended))
    stop_leftovers(storage, "its driver was killed")


def _delete_extra_runs(record: SweepRecord, store: RunStore) -> set[str]:
    """Of each trial that has begun, and of the parent, the oldest run stays.

    Returns:
        The keys of results that only MLflow has; of their runs every one that is FINISHED stays.
    """
    states = {trial.key: trial.state for trial in record.trials}
    runs = store.client.runs({"sweeps.name": record.name})
    kinds = [(run.tags.get("sweeps.kind", ""), run.tags.get("sweeps.trial_key", "")) for run in runs]
    lost = {
        key
        for run, (kind, key) in zip(runs, kinds, strict=True)
        if kind == "trial" and is_lost(run, states.get(key))
    }
    seen: set[tuple[str, str]] = set()
    for run, (kind, key) in zip(runs, kinds, strict=True):
        if kind in ("reproduction", "configuration"):
            continue  # the latter are sorted out where they are ranked
        begun = states.get(key, TrialState.WAITING) is not TrialState.WAITING
        if kind == "trial" and key in lost:
            extra = run.status != "FINISHED"
        else:
            extra = kind not in ("sweep", "trial") or (kind == "trial" and not begun) or (kind, key) in seen
        if extra:
            store.client.delete(run.id)
        if extra and kind == "trial" and begun and key not in lost:
            _carry_over(record, store, run)
        seen.add((kind, key))
    store.forget(record.name)
    return lost
