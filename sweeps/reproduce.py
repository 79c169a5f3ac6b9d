"""Finds the record of a run, trains it again and writes down what came of it."""

import logging
from collections.abc import Callable
from dataclasses import replace

from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.files.files import Files
from tracking.files.places import open_storage
from tracking.provenance.codes import code_of
from tracking.records.records import SweepRecord, TrialRecord
from tracking.reproduction import Reproduction, reproduce
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

_log = logging.getLogger(__name__)


def reproduce_run(
    store: RunStore,
    files: Files,
    *,
    run_id: str | None,
    best_of: str | None,
    only_here: bool = False,
    on_epoch: Callable[[int, int, bool], None] = lambda epoch, last, same: None,
) -> Reproduction:
    """Train a recorded trial again; without a run's id where the result could not be recorded at the end.

    Args:
        store: the tracking store, open.
        files: the storage, used with ``best_of``, with ``only_here``, and where the run's own is gone.
        run_id: a trial's run, or
        best_of: the name of a sweep, whose best configuration's median run is taken.
        only_here: the record is in ``files``, whatever storage the run names.
        on_epoch: is given each epoch that was trained, the last one's number, and whether it is the same.

    Raises:
        RecordError: no such run or sweep, its record or data are gone, or its reproduction could not be
            recorded; nothing was trained.
    """
    record, trial, original = _find(store, files, run_id, best_of, only_here)
    storage = SweepStorage(open_storage(record.storage), record.name)
    altered = "" if trial.history else "; the record is not as it was written"
    if altered:
        trial = storage.trial(trial.plan, proved=False)
    if not trial.history:
        raise RecordError(f"{trial.plan.name} of {record.name} has no recorded epoch to compare with")
    store.prepare(record.name)
    _log.info(f"reproducing {trial.plan.name} of {record.name}")
    result = reproduce(
        record,
        trial,
        ran=code_of(storage, record, trial),
        on_epoch=lambda epoch, same: on_epoch(epoch, trial.config.num_epochs, same),
    )
    result = replace(result, explanation=result.explanation + altered)
    try:
        return store.log_reproduction(record, trial, original, result)
    except RecordError as error:
        _log.info(f"the verdict is not recorded: {error}")
        return replace(result, original_run_id=original)


def _find(
    store: RunStore, files: Files, run_id: str | None, best_of: str | None, only_here: bool
) -> tuple[SweepRecord, TrialRecord, str]:
    if best_of is not None:
        record = SweepStorage(files, best_of).record()
        choice = best(record)
        if choice is None:
            raise RecordError(f"{best_of} has no complete trial yet: see `sweeps status {best_of}`")
        found = store.trial_run_id(best_of, choice.trial.key)
        if found is None:
            raise RecordError(
                f"{store.tracking_uri} has no run of the best trial: `sweeps verify {best_of} --repair`"
            )
        return record, choice.trial, found
    assert run_id is not None
    name, key, where = store.find_trial(run_id)
    here, there = SweepStorage(files, name), SweepStorage(open_storage(where), name)
    record = (here if only_here or not there.exists else there).record()
    return record, _trial_of(record, key), run_id


def _trial_of(record: SweepRecord, key: str) -> TrialRecord:
    """The trial with a key.

    Raises:
        RecordError: the sweep has none.
    """
    try:
        return record.trial(key)
    except KeyError:
        raise RecordError(f"{record.name} has no trial {key[:12]} in {record.storage}") from None
