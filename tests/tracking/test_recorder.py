import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hand_made import EPOCHS, Sweep
from support.waiting import wait_until
from tracking import recorder as recorder_module
from tracking.mlflow import mapping as view
from tracking.recorder import Recorder
from tracking.records.records import TrialRecord
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.incremental import SweepReader
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.runs import verify


class Server:
    """A real MLflow server on loopback that can be killed and started again."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = database

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--backend-store-uri",
            f"sqlite:///{self.database}",
            "--artifacts-destination",
            str(self.database.parent / "served"),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
        ]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = tmp_path_factory.mktemp("server") / "mlflow.db"
    database.write_bytes(empty_database.read_bytes())
    server = Server(database)
    server.start()
    yield server
    server.kill()


def test_checkpoints_arrive_while_the_sweep_runs(sweep: Sweep, store: RunStore):
    with Recorder(sweep.storage, store, interval=0.2) as recorder:
        sweep.begin(0)
        sweep.checkpoint(0, 1)
        wait_until(
            lambda: [len(store.client.histories.of(r.id, "val/nll")) for r in store.trial_runs("tiny")] == [1]
        )
        sweep.checkpoint(0, 2)
        wait_until(lambda: len(store.client.histories.of(store.trial_runs("tiny")[0].id, "val/nll")) == 2)
        sweep.complete(0)
        sweep.close()
    assert recorder.complete
    assert 0 < recorder.lag < 10
    assert verify(sweep.storage, store) == []


def test_a_server_that_is_killed_and_comes_back_loses_nothing(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
):
    sweep = Sweep(tmp_path / "storage", name="survivor")
    store = RunStore(server.uri).open(create=True)
    caplog.set_level(logging.WARNING, "tracking")
    with Recorder(sweep.storage, store, interval=0.2) as recorder:
        sweep.begin(0)
        sweep.checkpoint(0, 2)
        wait_until(lambda: len(store.trial_runs("survivor")) == 1)
        server.kill()
        sweep.checkpoint(0, 3)
        sweep.begin(1)
        sweep.complete(1)
        wait_until(lambda: "trying again" in caplog.text)
        time.sleep(1)
        server.start()
        wait_until(lambda: "is back" in caplog.text)
        sweep.complete(0)
        sweep.begin(2)
        sweep.complete(2)
        sweep.close()
    assert recorder.complete
    assert caplog.text.count("trying again") == 1
    assert verify(sweep.storage, RunStore(server.uri).open()) == []
    run = store.trial_run_id("survivor", sweep.plan[0].key)
    assert [point.step for point in store.client.histories.of(run, "val/nll")] == list(range(1, EPOCHS + 1))


def test_an_error_artifact_is_removed_from_a_server_too(tmp_path: Path, server: Server):
    from tracking.records.records import TrialState

    sweep = Sweep(tmp_path / "storage", name="retried")
    store = RunStore(server.uri).open(create=True)
    sweep.begin(0)
    sweep.storage.trial(sweep.plan[0].key).write_outcome(TrialState.FAILED, "TrainingError: because")
    store.sync(sweep.storage.record())
    sweep.begin(0)
    sweep.complete(0)
    sweep.begin(1)
    sweep.begin(2)
    sweep.complete(1)
    sweep.complete(2)
    sweep.close()
    store.sync(sweep.storage.record())
    run = store.trial_run_id("retried", sweep.plan[0].key)
    assert "error.txt" not in store.client.artifacts.files(run)
    assert verify(sweep.storage, store) == []


def test_a_store_that_stays_away_is_told_at_the_end(
    sweep: Sweep, database: Path, caplog: pytest.LogCaptureFixture
):
    store = RunStore(f"sqlite:///{database}").open()
    sweep.begin(0)
    sweep.checkpoint(0, 1)
    with Recorder(sweep.storage, store, interval=0.1, patience=1) as recorder:
        wait_until(lambda: len(store.trial_runs("tiny")) == 1)
        database.rename(database.with_suffix(".away"))
        database.mkdir()
        sweep.checkpoint(0, 2)
    assert not recorder.complete
    assert "`sweeps verify tiny --repair`" in caplog.text


def test_a_store_that_is_back_before_patience_ends_has_everything(sweep: Sweep, database: Path):
    store = RunStore(f"sqlite:///{database}").open()
    sweep.begin(0)
    sweep.checkpoint(0, 1)
    away = database.with_suffix(".away")
    with Recorder(sweep.storage, store, interval=0.1, patience=60) as recorder:
        wait_until(lambda: len(store.trial_runs("tiny")) == 1)
        database.rename(away)
        database.mkdir()
        sweep.checkpoint(0, 2)

        def bring_back() -> None:
            time.sleep(1.5)
            database.rmdir()
            away.rename(database)

        threading.Thread(target=bring_back).start()
    assert recorder.complete


def test_a_defect_in_recording_never_reaches_the_sweep(
    sweep: Sweep, store: RunStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    sweep.begin(0)
    monkeypatch.setattr(view, "trial_tags", None)  # a defect: not callable
    with Recorder(sweep.storage, store, interval=0.1, patience=1) as recorder:
        time.sleep(0.3)
    assert not recorder.complete
    assert "Traceback" in caplog.text


def test_an_unchanged_trial_is_not_read_again(finished: Sweep):
    reader = SweepReader(finished.storage)
    first = reader.record()
    reader.done()
    second = reader.record()
    assert not reader.changed
    assert all(a is b for a, b in zip(first.trials, second.trials, strict=True))
    assert first == finished.storage.record()
    finished.storage.trial(finished.plan[0].key).clear_outcome()
    finished.begin(0)
    third = reader.record()
    assert reader.changed
    assert [a is b for a, b in zip(first.trials, third.trials, strict=True)] == [False, True, True]


def test_a_trial_added_to_the_plan_is_seen(finished: Sweep):
    from support.hand_made import planned

    reader = SweepReader(finished.storage)
    assert len(reader.record().trials) == 3
    reader.done()
    SweepStorage(finished.storage.files, "tiny").write_plan([*finished.plan, planned(50, index=3)])
    assert len(reader.record().trials) == 4
    assert reader.changed


def test_a_server_answers_for_many_runs_at_once_and_its_faults_are_found(finished: Sweep, server: Server):
    store = RunStore(server.uri).open()
    store.sync(finished.storage.record())
    assert verify(finished.storage, store) == []
    damaged, other = (store.trial_run_id("tiny", finished.plan[index].key) for index in (1, 2))
    assert damaged is not None
    assert other is not None
    with sqlite3.connect(server.database) as database:
        database.execute("DELETE FROM metrics WHERE step=2 AND key='val/nll' AND run_uuid=?", [damaged])
    store.client.artifacts.remove(other, "config.yaml")
    faults = [fault.what for fault in verify(finished.storage, store)]
    assert len(faults) == 2
    assert f"run {damaged} lacks val/nll" in faults[0]
    assert f"run {other} lacks the artifact config.yaml" in faults[1]


def test_after_a_second_signal_no_further_picture_is_begun(
    finished: Sweep, store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    """The process ends next, and is aborted where a thread is inside Matplotlib."""
    begun: list[str] = []
    ended: list[str] = []

    def slow(trial: TrialRecord, unit: Checkpoint) -> dict[str, bytes]:
        begun.append(trial.key)
        if len(begun) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        ended.append(trial.key)
        return {}

    monkeypatch.setattr(recorder_module, "trial_figures", slow)
    finished.storage.write_spec({**finished.storage.spec(), "tracking": {"figures": True}})
    with pytest.raises(KeyboardInterrupt), Recorder(finished.storage, store):
        pass
    assert ended == begun
    assert len(begun) == 1 < len(finished.storage.record().complete)
