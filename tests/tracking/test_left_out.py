"""`best` says which results it could not count."""

from dataclasses import replace

import pytest

from support.hand_made import Sweep
from tracking.left_out import believed, results_only_in_mlflow, unbelieved_results
from tracking.store import RunStore


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def left_out(sweep: Sweep, store: RunStore) -> list[str]:
    record = sweep.storage.record()
    return [*unbelieved_results(sweep.storage, record), *results_only_in_mlflow(sweep.storage, record, store)]


def test_nothing_is_said_where_nothing_is_wrong(recorded: Sweep, store: RunStore) -> None:
    assert left_out(recorded, store) == []


def test_a_torn_and_a_missing_result_are_named(recorded: Sweep, store: RunStore) -> None:
    torn = recorded.trial_folder(0) / "final.zip"
    torn.write_bytes(torn.read_bytes()[:-30])
    (recorded.trial_folder(2) / "final.zip").unlink()
    said = left_out(recorded, store)
    assert said == [
        "left out: the result of K=1 D=2 s0 is torn or altered",
        "left out: the result of K=20 D=2 s0 is missing in storage",
    ]


def test_a_result_that_was_altered_with_its_seal_is_not_counted(recorded: Sweep, store: RunStore) -> None:
    key = recorded.plan[1].key
    unit = recorded.storage.trial(key).unit("final.zip")
    final = {**(unit.final or {}), "val/nll_final": 1.0}
    recorded.storage.trial(key).write_checkpoint(replace(unit, final=final))
    whole = recorded.storage.record()
    record, lines = believed(whole, store)
    assert lines == ["left out: the result of K=5 D=2 s0 was altered since it was recorded"]
    assert [trial.plan.name for trial in whole.complete if trial not in record.complete] == ["K=5 D=2 s0"]


def test_an_unaltered_record_is_believed_as_it_is(recorded: Sweep, store: RunStore) -> None:
    record = recorded.storage.record()
    assert believed(record, store) == (record, [])
