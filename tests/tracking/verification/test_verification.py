import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save

from support.hand_made import EPOCHS, STARTED, Sweep, history, planned
from tracking.errors import RecordError
from tracking.records.records import TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sessions import machine
from tracking.store import RunStore
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


def test_a_sweep_that_is_recorded_has_no_fault(recorded: Sweep, store: RunStore):
    assert verify(recorded.storage, store) == []


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


FAULTS_OF_MLFLOW: list[tuple[Plant, str]] = [
    (delete_run, r"has 0 runs \(none\): must be 1"),
    (double_run, r"has 2 runs \(\w+, \w+\): must be 1"),
    (foreign_run, "belongs to no trial of the plan"),
    (nameless_run, "bears the sweep's name and is none of its runs"),
    (lost_epoch, "lacks .*at step 2"),
    (lost_value, "lacks val/nll = .* at step 2"),
    (doubled_epoch, "has besides .*at step 3"),
    (altered_value, "has besides val/nll = .* at step 3"),
    (altered_final, "has besides val/nll_final = 1.0 at step 4"),
    (lost_final, "lacks test/nll = 22.0 at step 4"),
    (altered_param, "has objective.num_samples = 7: must be 5"),
    (wrong_status, "is RUNNING: must be FINISHED"),
    (lost_weights, "lacks the artifact model/model.safetensors"),
    (altered_weights, "the artifact model/model.safetensors of run .* is not what storage holds"),
    (lost_provenance, "lacks the artifact provenance/attempt-0001.json"),
    (lost_data_set, "does not name its data set"),
    (moved_to_another_parent, "has mlflow.parentRunId = other: must be"),
    (lost_parent, "has 0 parent runs: must be 1"),
    (doubled_parent, "has 2 parent runs: must be 1"),
    (open_parent, "is RUNNING: must be FINISHED"),
]


@pytest.mark.parametrize(("plant", "words"), FAULTS_OF_MLFLOW, ids=[p.__name__ for p, _ in FAULTS_OF_MLFLOW])
def test_what_is_wrong_in_mlflow_is_found_and_repaired(
    recorded: Sweep, store: RunStore, database: Path, plant: Plant, words: str
):
    plant(recorded, store, database)
    faults = verify(recorded.storage, store)
    assert any(re.search(words, fault.what) for fault in faults), faults
    untouched = {recorded.plan[0].key, recorded.plan[2].key}
    if "parent" not in plant.__name__:
        assert not untouched & {fault.trial_key for fault in faults}
    kept = run_of(store, recorded, 0)
    repair_sweep(recorded.storage, store)
    assert verify(recorded.storage, store) == []
    assert verify(recorded.storage, store) == []
    assert run_of(store, recorded, 0) == kept


def torn_unit(sweep: Sweep) -> None:
    path = sweep.trial_folder(1) / "final.zip"
    content = bytearray(path.read_bytes())
    content[content.index(b"history") + 20] ^= 1  # in the middle of a member: its CRC is wrong
    path.write_bytes(bytes(content))


def cut_unit(sweep: Sweep) -> None:
    path = sweep.trial_folder(1) / "final.zip"
    path.write_bytes(path.read_bytes()[:-40])


def folder_without_a_plan(sweep: Sweep) -> None:
    folder = sweep.trial_folder(1)
    shutil.copytree(folder, folder.with_name("f" * 64))


def lost_attempts(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "attempt-0001.json").unlink()


def torn_attempt(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "attempt-0001.json").write_text('{"started": 1')


def pruned_without_epochs(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "final.zip").unlink()
    sweep.storage.trial(sweep.plan[1].key).write_outcome(TrialState.PRUNED)


def torn_session(sweep: Sweep) -> None:
    (sweep.folder / "sessions" / "0001.json").write_text('{"hostname": "els')


def unit_that_skips_an_epoch(sweep: Sweep) -> None:
    epochs = history(EPOCHS)
    unit = Checkpoint(40, (*epochs[:1], *epochs[2:]), final={"val/nll_final": 1.0}, weights=b"", time=STARTED)
    sweep.storage.trial(sweep.plan[1].key).write_checkpoint(unit)


def unreadable_weights(sweep: Sweep) -> None:
    unit = Checkpoint(40, history(EPOCHS), final={"val/nll_final": 1.0}, weights=b"??", time=STARTED)
    sweep.storage.trial(sweep.plan[1].key).write_checkpoint(unit)


def plain_plan(sweep: Sweep) -> Path:
    """The plan of a sweep whose unit was lost."""
    (sweep.folder / "sweep.zip").unlink()
    return sweep.folder / "plan.jsonl"


def lost_unit(sweep: Sweep) -> None:
    plain_plan(sweep)


def shorter_plan(sweep: Sweep) -> None:
    path = sweep.folder / "plan.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def altered_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text().replace('"num_samples": 5', '"num_samples": 6', 2))


def doubled_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")


def cut_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text()[:-30])


FAULTS_OF_STORAGE: list[tuple[Callable[[Sweep], None], str]] = [
    (torn_unit, "final.zip is torn"),
    (cut_unit, "final.zip is torn"),
    (folder_without_a_plan, "this folder belongs to no trial of the plan"),
    (lost_attempts, "has results and no attempt"),
    (torn_attempt, "attempt-0001.json is not JSON"),
    (unit_that_skips_an_epoch, r"has the epochs \[1, 3, 4\]: must be"),
    (unreadable_weights, "has weights that cannot be read"),
    (pruned_without_epochs, "it was pruned and nothing is left of its epochs"),
    (torn_session, "sessions/0001.json is not JSON"),
    (lost_unit, "sweep.zip is torn or missing"),
    (shorter_plan, "plan.jsonl is not what was decided"),
    (altered_plan, "line 2 of plan.jsonl has another key"),
    (doubled_plan, "the plan has it 2 times"),
    (cut_plan, "line 3 of plan.jsonl cannot be read"),
]


@pytest.mark.parametrize(
    ("plant", "words"), FAULTS_OF_STORAGE, ids=[p.__name__ for p, _ in FAULTS_OF_STORAGE]
)
def test_what_is_wrong_in_storage_is_found(
    recorded: Sweep, store: RunStore, plant: Callable[[Sweep], None], words: str
):
    plant(recorded)
    faults = verify(recorded.storage, store)
    assert any(re.search(words, fault.what) for fault in faults), faults


def test_a_whole_sweep_is_rebuilt_in_an_empty_store(recorded: Sweep, empty_database: Path, tmp_path: Path):
    database = tmp_path / "other" / "mlflow.db"
    database.parent.mkdir()
    other = RunStore(f"sqlite:///{shutil.copy(empty_database, database)}").open()
    assert len(verify(recorded.storage, other)) == 4  # the parent and three trials
    repair_sweep(recorded.storage, other)
    assert verify(recorded.storage, other) == []
    assert len(other.trial_runs("tiny")) == 3


def test_a_driver_that_was_killed_leaves_faults_until_they_are_closed(sweep: Sweep, store: RunStore):
    sweep.begin(0)
    sweep.checkpoint(0, 2)
    store.sync(sweep.storage.record())
    whats = [fault.what for fault in verify(sweep.storage, store)]
    assert any("is left open by a driver that is gone" in what for what in whats)
    assert any("is RUNNING and no driver works on it" in what for what in whats)
    repair_sweep(sweep.storage, store)
    assert verify(sweep.storage, store) == []
    (run,) = store.trial_runs("tiny")
    assert (run.status, run.tags["sweeps.state"]) == ("KILLED", "STOPPED")
    assert sweep.storage.record().trials[0].state is TrialState.STOPPED


def alive(sweep: Sweep) -> None:
    own = {"hostname": socket.gethostname(), "pid": os.getpid(), "machine": machine()}
    born = psutil.Process().create_time()
    sweep.storage.write_session(
        1, sweep.session.model_copy(update={**own, "process_started": born, "heartbeat": time.time()})
    )


def test_a_sweep_that_is_running_has_no_fault_and_is_not_repaired(sweep: Sweep, store: RunStore):
    alive(sweep)
    sweep.begin(0)
    sweep.checkpoint(0, 2)
    store.sync(sweep.storage.record())
    assert verify(sweep.storage, store) == []
    sweep.checkpoint(0, 3)  # the recorder has not seen it yet
    assert verify(sweep.storage, store) == []
    with pytest.raises(RecordError, match="tiny is being run by process"):
        repair_sweep(sweep.storage, store)


def test_what_a_running_sweep_failed_to_record_is_found(sweep: Sweep, store: RunStore):
    alive(sweep)
    sweep.begin(0)
    sweep.checkpoint(0, 2)
    store.sync(sweep.storage.record())
    sweep.checkpoint(0, 3)
    for path in sweep.trial_folder(0).iterdir():
        os.utime(path, (time.time() - 60, time.time() - 60))
    assert any("at step 3" in fault.what for fault in verify(sweep.storage, store))


def lose_folder(sweep: Sweep) -> list[str]:
    """A finished trial's folder is gone; what `mend` has to say about it."""
    shutil.rmtree(sweep.trial_folder(1))
    return []


def lose_result(sweep: Sweep) -> list[str]:
    cut_unit(sweep)
    return [f"{sweep.plan[1].key[:12]}: final.zip was torn: the trial goes on from what was before it"]


def lose_outcome(sweep: Sweep) -> list[str]:
    (sweep.trial_folder(1) / "outcome.json").write_bytes(b"{}")
    return [f"{sweep.plan[1].key[:12]}: outcome.json was torn"]


LOSSES = [(lose_folder, "WAITING"), (lose_result, "STOPPED"), (lose_outcome, "STOPPED")]


@pytest.mark.parametrize(("lose", "state"), LOSSES, ids=[lose.__name__ for lose, _ in LOSSES])
def test_a_result_that_only_mlflow_has_is_told_kept_and_trained_again(
    finished: Sweep, store: RunStore, lose: Callable[[Sweep], list[str]], state: str
):
    if lose is lose_outcome:
        (finished.trial_folder(1) / "final.zip").unlink()
        finished.checkpoint(1, 2)
        finished.storage.trial(finished.plan[1].key).write_outcome(TrialState.PRUNED)
    store.sync(finished.storage.record())
    lines = lose(finished)
    run_id = run_of(store, finished, 1)
    before = store.client.run(run_id)
    assert any(f"run {run_id} is FINISHED" in fault.what for fault in verify(finished.storage, store))
    mended: list[str] = []
    for expected in (lines, []):
        mended += repair_sweep(finished.storage, store)
        (fault,) = verify(finished.storage, store)
        assert mended == expected
        assert fault.trial_key == finished.plan[1].key
        assert f"storage, where the trial is {state}, has no result" in fault.what
        assert "`sweeps resume tiny` trains the trial again" in fault.what
        assert store.client.run(run_id) == before
        assert store.client.artifacts.read_if_there(run_id, "config.yaml") is not None
        mended.clear()

    finished.begin(1)
    store.sync(finished.storage.record())  # as the recorder does while it is trained
    finished.checkpoint(1, 2, offset=100.0)
    store.sync(finished.storage.record())
    epochs, final = history(EPOCHS, offset=100.0), {"val/nll_final": 20.5, "test/nll": 21.5}
    weights = save({"w": np.zeros(3, dtype=np.float32)})
    unit = Checkpoint(EPOCHS * 10, epochs, final=final, weights=weights, time=STARTED + 200)
    finished.storage.trial(finished.plan[1].key).write_checkpoint(unit)
    store.sync(finished.storage.record())
    assert verify(finished.storage, store) == []
    assert len(store.trial_runs("tiny")) == 3


def test_a_finished_run_of_no_planned_trial_is_told_and_kept(recorded: Sweep, store: RunStore):
    recorded.storage.write_plan(recorded.plan[:2])
    shutil.rmtree(recorded.trial_folder(2))
    store.sync(recorded.storage.record())
    for repair in (False, True):
        if repair:
            repair_sweep(recorded.storage, store)
        (fault,) = verify(recorded.storage, store)
        assert "belongs to no trial of the plan: --repair leaves its result alone" in fault.what
    assert len(store.trial_runs("tiny")) == 3


def test_trials_added_to_the_plan_are_no_fault(recorded: Sweep, store: RunStore):
    recorded.storage.write_plan([*recorded.plan, planned(50, index=3)])
    store.sync(recorded.storage.record())
    assert verify(recorded.storage, store) == []


def test_verify_of_an_unknown_sweep_names_the_known_ones(recorded: Sweep, store: RunStore):
    from tracking.storage.sweep import SweepStorage

    with pytest.raises(RecordError, match=r"no sweep nothing in .* \(there: tiny\)"):
        verify(SweepStorage(recorded.storage.files, "nothing"), store)
