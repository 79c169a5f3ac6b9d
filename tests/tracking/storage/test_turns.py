"""Several processes bring the runs of one sweep up to date: a RunStore each, as each process has one."""

import shutil
from pathlib import Path

import pytest

from support.hand_made import Sweep
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.publish import log_best_model
from tracking.recorder import Recorder
from tracking.records.records import SweepRecord
from tracking.storage import turns
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.runs import verify


def finish(sweep: Sweep) -> None:
    """End what has not ended, with the first trial as it is."""
    for index in range(1, len(sweep.plan)):
        sweep.begin(index)
        sweep.complete(index)
    sweep.close()


def test_an_old_record_takes_nothing_back(sweep: Sweep, store: RunStore):
    sweep.begin(0)
    sweep.checkpoint(0, 2)
    old = sweep.storage.record()
    store.sync(old)
    sweep.complete(0)
    store.sync(sweep.storage.record())
    RunStore(store.tracking_uri).open().sync(old)
    (run,) = store.trial_runs("tiny")
    assert (run.status, run.tags["sweeps.state"]) == ("FINISHED", "COMPLETE")
    finish(sweep)
    store.sync(sweep.storage.record())
    assert verify(sweep.storage, store) == []


def test_a_record_that_grew_old_in_an_open_store_takes_nothing_back(sweep: Sweep, store: RunStore):
    other = RunStore(store.tracking_uri).open()
    sweep.begin(0)
    other.sync(sweep.storage.record())
    sweep.checkpoint(0, 2)
    old = sweep.storage.record()
    sweep.complete(0)
    store.sync(sweep.storage.record())
    other.sync(old)
    finish(sweep)
    store.sync(sweep.storage.record())
    assert verify(sweep.storage, store) == []


def test_a_trial_that_another_process_saw_first_has_one_run(sweep: Sweep, store: RunStore):
    store.sync(sweep.storage.record())
    sweep.begin(0)
    RunStore(store.tracking_uri).open().sync(sweep.storage.record())
    store.sync(sweep.storage.record())
    assert len(store.trial_runs("tiny")) == 1
    sweep.complete(0)
    finish(sweep)
    store.sync(sweep.storage.record())
    assert verify(sweep.storage, store) == []


def test_a_run_that_another_process_made_anew_is_found_again(sweep: Sweep, store: RunStore):
    other = RunStore(store.tracking_uri).open()
    sweep.begin(0)
    sweep.checkpoint(0, 3)
    store.sync(sweep.storage.record())
    for path in sweep.trial_folder(0).glob("checkpoint-*"):
        path.unlink()
    sweep.begin(0)
    sweep.checkpoint(0, 2, offset=500)
    other.sync(sweep.storage.record())
    sweep.checkpoint(0, 3, offset=500)
    store.sync(sweep.storage.record())
    (run,) = store.trial_runs("tiny")
    assert [point.step for point in store.client.histories.of(run.id, "val/nll")] == [1, 2, 3]


def test_two_recorders_at_once_make_one_run_a_trial(sweep: Sweep, store: RunStore):
    second = RunStore(store.tracking_uri).open()
    with (
        Recorder(sweep.storage, store, interval=0.05) as one,
        Recorder(sweep.storage, second, interval=0.05) as two,
    ):
        for index in range(len(sweep.plan)):
            sweep.begin(index)
            for epochs in (1, 2, 3):
                sweep.checkpoint(index, epochs)
            sweep.complete(index)
        sweep.close()
    assert one.complete
    assert two.complete
    assert verify(sweep.storage, store) == []


def test_a_process_whose_lock_went_to_another_stops_and_looks_anew(
    sweep: Sweep, store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(turns, "_LOOK_SECONDS", 0.0)
    other = RunStore(store.tracking_uri).open()
    sweep.begin(0)

    def stand_still() -> SweepRecord:
        (sweep.folder / "sync.lock").unlink()  # as a lease that was not renewed
        other.sync(sweep.storage.record())
        return sweep.storage.record()

    with pytest.raises(RecordError, match="another process records tiny"):
        store.sync(sweep.storage.record(), reread=stand_still)
    sweep.complete(0)
    finish(sweep)
    store.sync(sweep.storage.record())
    other.sync(sweep.storage.record())
    assert verify(sweep.storage, store) == []


def test_a_model_that_another_process_logs_makes_no_cache_good_again(
    trained: SweepStorage, store: RunStore, tmp_path: Path
):
    shutil.copytree(Path(trained.uri), tmp_path / "trained")
    storage = SweepStorage(Folder(tmp_path), "trained")
    other = RunStore(store.tracking_uri).open()
    other.sync(storage.record())
    trial = storage.record().trials[0]
    store.sync(storage.record())
    store.client.delete(store.trial_run_id("trained", trial.key))
    store.sync(storage.record(), afresh=True)
    log_best_model(storage.record(), trial, storage, other)
    other.sync(storage.record())
    assert verify(storage, store) == []


def test_who_syncs_alone_reads_neither_storage_nor_mlflow_again(sweep: Sweep, store: RunStore):
    def never() -> SweepRecord:
        raise AssertionError("no other process synced")

    store.sync(sweep.storage.record())
    mark = (sweep.folder / "sync.json").stat().st_mtime_ns
    sweep.begin(0)
    store.sync(sweep.storage.record(), reread=never)
    finish(sweep)
    store.sync(sweep.storage.record(), reread=never)
    assert (sweep.folder / "sync.json").stat().st_mtime_ns == mark
