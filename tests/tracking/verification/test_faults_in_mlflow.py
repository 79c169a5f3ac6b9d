import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hand_made import Sweep
from tracking.store import RunStore
from tracking.verification.fault import FaultKind
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


def change(database: Path, query: str) -> None:
    """Alters the record behind everybody's back."""
    with sqlite3.connect(database) as connection:
        assert connection.execute(query).rowcount > 0


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def run_of(store: RunStore, sweep: Sweep, index: int) -> str:
    return store.trial_run_id("tiny", sweep.plan[index].key)


Plant = Callable[[Sweep, RunStore, Path], None]


def delete_run(sweep: Sweep, store: RunStore, database: Path) -> None:
    store.client.delete(run_of(store, sweep, 1))


def double_run(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = store.client.run(run_of(store, sweep, 1))
    store.client.create_run(run.experiment_id, run.name, run.start + 1, run.tags)


def foreign_run(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = store.client.run(run_of(store, sweep, 1))
    store.client.create_run(
        run.experiment_id, run.name, run.start, {**run.tags, "sweeps.trial_key": "0" * 64}
    )


def nameless_run(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = store.client.run(run_of(store, sweep, 1))
    store.client.create_run(run.experiment_id, "x", run.start, {"sweeps.name": "tiny"})


def lost_epoch(sweep: Sweep, store: RunStore, database: Path) -> None:
    change(database, f"DELETE FROM metrics WHERE step=2 AND run_uuid='{run_of(store, sweep, 1)}'")


def lost_value(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(database, f"DELETE FROM metrics WHERE step=2 AND key='val/nll' AND run_uuid='{run}'")


def doubled_epoch(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    columns = "key, value, run_uuid, is_nan, step"
    query = f"INSERT INTO metrics (timestamp, {columns}) SELECT timestamp + 1, {columns} FROM metrics"
    change(database, f"{query} WHERE step=3 AND run_uuid='{run}'")


def altered_value(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(
        database, f"UPDATE metrics SET value=value+1e-13 WHERE key='val/nll' AND step=3 AND run_uuid='{run}'"
    )


def altered_final(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(database, f"UPDATE metrics SET value=1.0 WHERE key='val/nll_final' AND run_uuid='{run}'")


def lost_final(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(database, f"DELETE FROM metrics WHERE key='test/nll' AND run_uuid='{run}'")


def altered_param(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(database, f"UPDATE params SET value='7' WHERE key='objective.num_samples' AND run_uuid='{run}'")


def wrong_status(sweep: Sweep, store: RunStore, database: Path) -> None:
    change(database, f"UPDATE runs SET status='RUNNING' WHERE run_uuid='{run_of(store, sweep, 1)}'")


def lost_weights(sweep: Sweep, store: RunStore, database: Path) -> None:
    store.client.artifacts.remove(run_of(store, sweep, 1), "model/model.safetensors")


def altered_weights(sweep: Sweep, store: RunStore, database: Path) -> None:
    path = next(database.parent.glob(f"mlartifacts/{run_of(store, sweep, 1)}/**/model.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def lost_provenance(sweep: Sweep, store: RunStore, database: Path) -> None:
    store.client.artifacts.remove(run_of(store, sweep, 1), "provenance/attempt-0001.json")


def lost_data_set(sweep: Sweep, store: RunStore, database: Path) -> None:
    change(database, f"DELETE FROM inputs WHERE destination_id='{run_of(store, sweep, 1)}'")


def moved_to_another_parent(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = run_of(store, sweep, 1)
    change(database, f"UPDATE tags SET value='other' WHERE key='mlflow.parentRunId' AND run_uuid='{run}'")


def lost_parent(sweep: Sweep, store: RunStore, database: Path) -> None:
    store.client.delete(store.find_sweep("tiny") or "")


def doubled_parent(sweep: Sweep, store: RunStore, database: Path) -> None:
    run = store.client.run(store.find_sweep("tiny") or "")
    store.client.create_run(run.experiment_id, run.name, run.start + 1, run.tags)


def open_parent(sweep: Sweep, store: RunStore, database: Path) -> None:
    change(database, f"UPDATE runs SET status='RUNNING' WHERE run_uuid='{store.find_sweep('tiny')}'")


FAULTS_OF_MLFLOW: list[tuple[Plant, str, FaultKind]] = [
    (delete_run, r"has 0 runs \(none\): must be 1", FaultKind.MISSING),
    (double_run, r"has 2 runs \(\w+, \w+\): must be 1", FaultKind.EXTRA),
    (foreign_run, "belongs to no trial of the plan", FaultKind.EXTRA),
    (nameless_run, "bears the sweep's name and is none of its runs", FaultKind.EXTRA),
    (lost_epoch, "lacks .*at step 2", FaultKind.MISSING),
    (lost_value, "lacks val/nll = .* at step 2", FaultKind.MISSING),
    (doubled_epoch, "has besides .*at step 3", FaultKind.EXTRA),
    (altered_value, "has besides val/nll = .* at step 3", FaultKind.EXTRA),
    (altered_final, "has besides val/nll_final = 1.0 at step 4", FaultKind.EXTRA),
    (lost_final, "lacks test/nll = 22.0 at step 4", FaultKind.MISSING),
    (altered_param, "has objective.num_samples = 7: must be 5", FaultKind.DIFFERENT),
    (wrong_status, "is RUNNING: must be FINISHED", FaultKind.DIFFERENT),
    (lost_weights, "lacks the artifact model/model.safetensors", FaultKind.MISSING),
    (
        altered_weights,
        "the artifact model/model.safetensors of run .* is not what storage holds",
        FaultKind.DIFFERENT,
    ),
    (lost_provenance, "lacks the artifact provenance/attempt-0001.json", FaultKind.MISSING),
    (lost_data_set, "does not name its data set", FaultKind.DIFFERENT),
    (moved_to_another_parent, "has mlflow.parentRunId = other: must be", FaultKind.DIFFERENT),
    (lost_parent, "has 0 parent runs: must be 1", FaultKind.MISSING),
    (doubled_parent, "has 2 parent runs: must be 1", FaultKind.EXTRA),
    (open_parent, "is RUNNING: must be FINISHED", FaultKind.DIFFERENT),
]


@pytest.mark.parametrize(
    ("plant", "words", "kind"), FAULTS_OF_MLFLOW, ids=[p.__name__ for p, *_ in FAULTS_OF_MLFLOW]
)
def test_what_is_wrong_in_mlflow_is_found_and_repaired(
    recorded: Sweep, store: RunStore, database: Path, plant: Plant, words: str, kind: FaultKind
):
    plant(recorded, store, database)
    faults = verify(recorded.storage, store)
    assert kind in {fault.kind for fault in faults if re.search(words, fault.what)}, faults
    untouched = {recorded.plan[0].key, recorded.plan[2].key}
    if "parent" not in plant.__name__:
        assert not untouched & {fault.trial_key for fault in faults}
    kept = run_of(store, recorded, 0)
    repair_sweep(recorded.storage, store)
    assert verify(recorded.storage, store) == []
    assert verify(recorded.storage, store) == []
    assert run_of(store, recorded, 0) == kept
