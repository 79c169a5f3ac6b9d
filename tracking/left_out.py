"""Results that are not counted, because storage has them no more or not as they were written."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tracking.mlflow import mapping as view
from tracking.records import chain
from tracking.records.comparable.score import SCORES
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.mlflow.client import Run

_RESULT = "final.zip"


def is_lost(run: "Run", state: TrialState | None) -> bool:
    """Whether a trial's result is in its run and, by the state in which storage has the trial, only there."""
    return run.status == "FINISHED" and (state is None or view.STATUS.get(state) != "FINISHED")


def unbelieved_results(storage: SweepStorage, record: SweepRecord) -> Iterator[str]:
    """A line for each trial whose final unit is in storage and is torn, altered or another trial's."""
    names = storage.trial_names()
    complete = {trial.key for trial in record.complete}
    for trial in record.trials:
        if trial.key not in complete and _RESULT in names.get(trial.key, {}):
            yield f"left out: the result of {trial.plan.name} is torn or altered"


def believed(record: SweepRecord, store: RunStore) -> tuple[SweepRecord, list[str]]:
    """The record without results whose hashes are not those that MLflow keeps, and a line for each of them.

    Who edits a result and its seal is found by no file, only by the other witness.
    """
    trials = {trial.key: trial for trial in record.trials}
    lines = []
    for run in store.trial_runs(record.name):
        trial = trials.get(run.tags.get("sweeps.trial_key", ""))
        if trial is not None and chain.altered(run.tags.get(chain.TAG), trial) is not None:
            trials[trial.key] = TrialRecord(trial.plan, TrialState.WAITING)
            lines.append(f"left out: the result of {trial.plan.name} was altered since it was recorded")
    return replace(record, trials=tuple(trials.values())), lines


def results_only_in_mlflow(storage: SweepStorage, record: SweepRecord, store: RunStore) -> Iterator[str]:
    """A line for each trial whose run has a result of which storage has nothing, not even a torn one."""
    names = storage.trial_names()
    trials = {trial.key: trial for trial in record.trials if _RESULT not in names.get(trial.key, {})}
    for run in store.trial_runs(record.name):
        trial = trials.get(run.tags.get("sweeps.trial_key", ""))
        if (
            trial is not None
            and any(score.final in run.metrics for score in SCORES)
            and is_lost(run, trial.state)
        ):
            yield f"left out: the result of {trial.plan.name} is missing in storage"
