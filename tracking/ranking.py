"""What MLflow ranks by: the best configuration's numbers, a run a configuration, trials' seconds alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracking.left_out import believed
from tracking.records.records import SweepRecord
from tracking.storage import turns
from tracking.storage.sweep import SweepStorage
from tracking.store import RANKED, RunStore

if TYPE_CHECKING:
    from tracking.mlflow.client import Run


def rank(record: SweepRecord, storage: SweepStorage, store: RunStore, parent_id: str) -> None:
    """Bring the numbers by which MLflow ranks to what a record says; what is so costs no call.

    Args:
        record: the sweep, without the results that are not believed.
        storage: its files; processes take turns at it.
        store: the tracking store, open.
        parent_id: of the sweep's run.
    """
    from tracking.runs import answer, configuration_runs, exclusive  # loads MLflow

    with turns.alone(storage):
        parent = store.client.run(parent_id)
        number = str(len(configuration_runs.expected_runs(record, parent_id)))
        configuration_runs.sync(store.client, record, parent)
        exclusive.sync(store.client, record)
        store.client.log_latest(parent, answer.answer_metrics(record), {}, {RANKED: number})


def ranking_faults(
    record: SweepRecord, store: RunStore, parent: "Run", runs: "list[Run]"
) -> Iterator[tuple[str, bool]]:
    """What of it is not so: what, and whether it is a run that must not be there.

    A sweep that was never ranked (its versions did not) has nothing that could be wrong.

    Args:
        record: the sweep.
        store: the tracking store, open.
        parent: the sweep's run.
        runs: every run that says it is a configuration of the sweep, oldest first.
    """
    from tracking.runs import answer, configuration_runs, exclusive

    if RANKED not in parent.tags and not runs:
        return
    record, _ = believed(record, store)
    for name, value in answer.answer_metrics(record).items():
        if parent.metrics.get(name) != value:
            yield f"run {parent.id} has {name} = {parent.metrics.get(name)}: must be {value}", False
    trials = store.trial_runs(record.name) if record.alone else []
    for run, value in exclusive.differing(record, trials):
        found = run.metrics.get(exclusive.METRIC)
        yield f"run {run.id} has {exclusive.METRIC} = {found}: must be {value}", False
    expected = configuration_runs.expected_runs(record, parent.id)
    kept, extra = configuration_runs.sort_out(runs, expected)
    for run in extra:
        yield f"run {run.id} is doubled, or belongs to no configuration that has results", True
    for identity, one in expected.items():
        if identity not in kept:
            yield f"the configuration {one.name} has no run", False
            continue
        for what in one.differences(kept[identity]):
            yield f"run {kept[identity].id} has {what}", False
