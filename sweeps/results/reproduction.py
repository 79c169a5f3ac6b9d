"""Trains a trial of a sweep again and writes down what came of it."""

import logging
from collections.abc import Callable
from dataclasses import replace

from sweeps.results.trials import Trial, matching, trial_of
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.provenance.codes import code_of
from tracking.records.records import SweepRecord, TrialRecord
from tracking.reproduction import Reproduction
from tracking.reproduction import reproduce as train_again
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

_log = logging.getLogger(__name__)


def reproduce(
    storage: SweepStorage,
    store: RunStore,
    trial: Trial | None,
    *,
    on_epoch: Callable[[int, int, bool], None] = lambda epoch, last, same: None,
) -> Reproduction:
    """Train a recorded trial again; without a run's id where the result could not be recorded at the end.

    Args:
        storage: the trial's sweep.
        store: the tracking store, open.
        trial: a trial, its run's id, its name or its key; None takes the best configuration's median run.
        on_epoch: is given each epoch that was trained, the last one's number, and whether it is the same.

    Raises:
        RecordError: no such trial, its record, run or data are gone, or its reproduction could not be
            recorded; nothing was trained.
    """
    record = storage.record()
    found, original = _find(record, store, trial)
    altered = "" if found.history else "; the record is not as it was written"
    if altered:
        found = storage.trial(found.plan.key).record(found.plan, proved=False)
    if not found.history:
        raise RecordError(f"{found.plan.name} of {record.name} has no recorded epoch to compare with")
    from tracking.runs.reproduction_run import log  # loads MLflow

    store.prepare(record.name)
    source = {"record": f"{storage.uri}/trials/{found.key}", "tracking_uri": store.tracking_uri}
    _log.info(f"reproducing {found.plan.name} of {record.name}: its record is {source['record']}")
    result = train_again(
        record,
        found,
        ran=code_of(storage, record, found),
        on_epoch=lambda epoch, same: on_epoch(epoch, found.config.num_epochs, same),
    )
    result = replace(result, explanation=result.explanation + altered, source=source)
    try:
        return log(store.client, record, found, original, result)
    except RecordError as error:
        _log.info(f"the verdict is not recorded: {error}")
        return replace(result, original_run_id=original)


def _find(record: SweepRecord, store: RunStore, which: Trial | None) -> tuple[TrialRecord, str]:
    """The trial, and the id of its run, which is the one that was named where a run was."""
    if isinstance(which, str) and not matching(record, which):
        name, key, _ = store.find_trial(which)
        if name != record.name:
            raise RecordError(f"run {which} belongs to the sweep {name}, not to {record.name}")
        if not (found := matching(record, key)):
            raise RecordError(f"{record.name} has no trial {key[:12]} in {record.storage}")
        return found[0], which
    trial, what = _chosen(record, which)
    run_id = store.trial_run_id(record.name, trial.key)
    if run_id is None:
        raise RecordError(
            f"{store.tracking_uri} has no run of {what}: `sweeps verify {record.name} --repair`"
        )
    return trial, run_id


def _chosen(record: SweepRecord, which: Trial | None) -> tuple[TrialRecord, str]:
    """The trial, and what to call it."""
    if which is None:
        choice = best(record)
        if choice is None:
            raise RecordError(f"{record.name} has no complete trial yet: see `sweeps status {record.name}`")
        return choice.trial, "the best trial"
    trial = trial_of(record, which)
    return trial, trial.plan.name
