"""Training seconds alone, at the runs of trials: known when the steps were probed, after the trials."""

from collections.abc import Iterator, Sequence

from tracking.mlflow.client import Client, Run
from tracking.records.records import SweepRecord

METRIC = "time/train_seconds_exclusive"


def seconds_alone(record: SweepRecord) -> dict[str, float]:
    """Training seconds of each trial with epochs, had it been alone, by its key; empty without probes."""
    return {
        trial.key: trial.history[-1].epoch * record.alone[trial.key].epoch_seconds
        for trial in record.trials
        if trial.key in record.alone and trial.history
    }


def differing(record: SweepRecord, runs: Sequence[Run]) -> Iterator[tuple[Run, float]]:
    """Runs of trials that show other seconds alone, and what they must show."""
    expected = seconds_alone(record)
    for run in runs:
        wanted = expected.get(run.tags.get("sweeps.trial_key", ""))
        if wanted is not None and run.metrics.get(METRIC) != wanted:
            yield run, wanted


def sync(client: Client, record: SweepRecord) -> None:
    """Make the runs of a sweep's trials show their seconds alone; no call where nothing was probed."""
    if not record.alone:
        return
    runs = client.runs({"sweeps.kind": "trial", "sweeps.name": record.name})
    pairs = list(differing(record, runs))
    client.each(lambda pair: client.log_latest(pair[0], {METRIC: pair[1]}, {}, {}), pairs)
