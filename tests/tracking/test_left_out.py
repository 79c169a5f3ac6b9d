"""`best` says which results it could not count."""

import pytest
from hand_made import Sweep

from tracking.left_out import results_only_in_mlflow, unbelieved_results
from tracking.store import RunStore


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def left_out(sweep: Sweep, store: RunStore) -> list[str]:
    record = sweep.storage.record()
    return [*unbelieved_results(sweep.storage, record), *results_only_in_mlflow(record, store)]


def test_nothing_is_said_where_nothing_is_wrong(recorded: Sweep, store: RunStore) -> None:
    assert left_out(recorded, store) == []


def test_a_torn_and_a_missing_result_are_named(recorded: Sweep, store: RunStore) -> None:
    torn = recorded.trial_folder(0) / "final.zip"
    torn.write_bytes(torn.read_bytes()[:-30])
    (recorded.trial_folder(2) / "final.zip").unlink()
    said = left_out(recorded, store)
    assert "left out: the result of K=1 D=2 s0 is torn or altered" in said
    assert "left out: the result of K=20 D=2 s0 is missing in storage" in said
