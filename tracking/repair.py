"""Brings MLflow back to what storage holds, whatever happened to it."""

import time

from iwae.errors import RecordError
from tracking.mending import mend
from tracking.records import TrialState
from tracking.sessions import live_session, stop_leftovers
from tracking.storage import SweepStorage
from tracking.store import RunStore
from tracking.verification import run_faults


def repair_runs(storage: SweepStorage, store: RunStore) -> None:
    """Add what is missing, delete what is doubled or foreign, and make anew what holds other numbers.

    Raises:
        RecordError: a driver works on the sweep.
    """
    if (session := live_session(storage)) is not None:
        raise RecordError(
            f"{storage.name} is being run by process {session['pid']} on {session['hostname']}:"
            " repair it when that has ended"
        )
    mend(storage)
    _close_leftovers(storage)
    _delete_extra_runs(storage, store)
    record = storage.record()
    store.sync(record, afresh=True)
    # A run cannot take a value back: one that still differs is replaced.
    faulty = {fault.trial_key for fault in run_faults(storage, store, record)} - {None}
    for run in store.trial_runs(storage.name):
        if run.tags.get("sweeps.trial_key") in faulty:
            store.client.delete(run.id)
    if faulty:
        store.sync(record, afresh=True)


def _close_leftovers(storage: SweepStorage) -> None:
    """Say of drivers and trials that were killed that they ended; `sweeps resume` goes on with them."""
    for number in storage.session_numbers():
        session = storage.session(number)
        if session and session.get("ended") is None:
            ended = session.get("heartbeat", time.time())
            storage.write_session(number, {**session, "ended": ended, "outcome": "interrupted"})
    stop_leftovers(storage, "its driver was killed")


def _delete_extra_runs(storage: SweepStorage, store: RunStore) -> None:
    """Of each trial that has begun, and of the parent, the oldest run stays."""
    kept = {trial.key for trial in storage.record().trials if trial.state is not TrialState.WAITING}
    seen: set[tuple[str, str]] = set()
    for run in store.client.runs({"sweeps.name": storage.name}):
        kind, key = run.tags.get("sweeps.kind", ""), run.tags.get("sweeps.trial_key", "")
        if kind == "reproduction":
            continue
        foreign = kind not in ("sweep", "trial") or (kind == "trial" and key not in kept)
        if foreign or (kind, key) in seen:
            store.client.delete(run.id)
        seen.add((kind, key))
    store.forget(storage.name)
