"""Results that are not counted, because storage has them no more or not as they were written."""

from collections.abc import Iterator

from tracking.records import SweepRecord
from tracking.storage import SweepStorage
from tracking.store import RunStore
from tracking.trial_verification import is_lost


def unbelieved_results(storage: SweepStorage, record: SweepRecord) -> Iterator[str]:
    """A line for each trial whose final unit is in storage and is torn, altered or another trial's."""
    names = storage.trial_names()
    complete = {trial.key for trial in record.complete}
    for trial in record.trials:
        if trial.key not in complete and "final.zip" in names.get(trial.key, {}):
            yield f"left out: the result of {trial.plan.name} is torn or altered"


def results_only_in_mlflow(record: SweepRecord, store: RunStore) -> Iterator[str]:
    """A line for each trial whose run has a result that storage does not have."""
    trials = {trial.key: trial for trial in record.trials}
    for run in store.trial_runs(record.name):
        trial = trials.get(run.tags.get("sweeps.trial_key", ""))
        if trial is not None and "val/nll_final" in run.metrics and is_lost(run, trial.state):
            yield f"left out: the result of {trial.plan.name} is missing in storage"
