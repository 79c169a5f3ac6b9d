import os
import shutil
import socket
import time
from pathlib import Path

import psutil
import pytest

from support.hand_made import Sweep, planned
from tracking.errors import RecordError
from tracking.records.records import TrialState
from tracking.storage.sessions import machine
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def test_a_sweep_that_is_recorded_has_no_fault(recorded: Sweep, store: RunStore):
    assert verify(recorded.storage, store) == []


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


def test_trials_added_to_the_plan_are_no_fault(recorded: Sweep, store: RunStore):
    recorded.storage.write_plan([*recorded.plan, planned(50, index=3)])
    store.sync(recorded.storage.record())
    assert verify(recorded.storage, store) == []


def test_verify_of_an_unknown_sweep_names_the_known_ones(recorded: Sweep, store: RunStore):
    from tracking.storage.sweep import SweepStorage

    with pytest.raises(RecordError, match=r"no sweep nothing in .* \(there: tiny\)"):
        verify(SweepStorage(recorded.storage.files, "nothing"), store)
