"""What MLflow refuses for good is told apart from a store that is away."""

import errno
import logging
import os
import stat
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    ENDPOINT_NOT_FOUND,
    INVALID_PARAMETER_VALUE,
    TEMPORARILY_UNAVAILABLE,
)

from iwae.config.train import TrainConfig
from support.hand_made import EPOCHS, Sweep
from support.waiting import wait_until
from tracking.errors import RecordError, RefusedError
from tracking.mlflow.limits import MAX_PARAM, MAX_RUN_NAME
from tracking.recorder import Recorder
from tracking.records.records import PlannedTrial, TrialState
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def deleted_experiment(store: RunStore) -> str:
    """The id of the store's experiment, deleted as the UI does it."""
    experiment = store.client.experiment(store.experiment)
    assert experiment is not None
    store.client.mlflow.delete_experiment(experiment.id)
    return experiment.id


_AUTOFLUSH = "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block)\n"
_SQL = "\n[SQL: INSERT INTO runs]\n[parameters: ('x',)]\n(Background on this error at: https://sqlalche.me/e/21/9h9h)"
ANSWERS = [
    (MlflowException("The run x must be in the 'active' state.", INVALID_PARAMETER_VALUE), True),
    (MlflowException("no such endpoint", ENDPOINT_NOT_FOUND), True),
    (MlflowException(f"{_AUTOFLUSH}(StringDataRightTruncation) value too long{_SQL}", BAD_REQUEST), True),
    (MlflowException(f"(sqlite3.IntegrityError) UNIQUE constraint failed{_SQL}", BAD_REQUEST), False),
    (MlflowException(f"(psycopg2.InterfaceError) connection already closed{_SQL}", BAD_REQUEST), False),
    (
        MlflowException(
            f"{_AUTOFLUSH}(OperationalError) database or disk is full{_SQL}", TEMPORARILY_UNAVAILABLE
        ),
        False,
    ),
    (MlflowException("API request to http://x failed with exception ConnectionError"), False),
    (PermissionError(errno.EACCES, "Permission denied"), True),
    (OSError(errno.ENOSPC, "No space left on device"), False),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
]


@pytest.mark.parametrize(("error", "refused"), ANSWERS, ids=lambda value: str(value)[:40])
def test_what_may_pass_is_told_apart_from_what_will_not(store: RunStore, error: Exception, refused: bool):
    def answer() -> None:
        raise error

    with pytest.raises(RecordError) as raised:
        store.client.call(answer)
    assert isinstance(raised.value, RefusedError) is refused
    assert "[SQL" not in str(raised.value)
    assert "autoflush" not in str(raised.value)


def test_a_deleted_experiment_is_refused_before_the_start(recorded: Sweep, store: RunStore):
    identity = deleted_experiment(store)
    with pytest.raises(RecordError, match=f"was deleted in .*--experiment-id {identity}"):
        store.prepare("another")


def test_a_deleted_experiment_is_restored_by_repair_with_its_runs_and_no_others(
    tmp_path: Path, recorded: Sweep, store: RunStore
):
    other = Sweep(tmp_path / "storage", name="other")
    other.finish()
    store.sync(other.storage.record())
    run = store.trial_runs("tiny")[0].id
    store.client.log(run, tags={"mlflow.note.content": "a note"})
    deleted_experiment(store)
    (fault, *_) = verify(recorded.storage, RunStore(store.connection_uri).open())
    assert "the experiment iwae-sweeps was deleted: --repair restores it" in fault.what
    said: list[str] = []
    said += repair_sweep(recorded.storage, store)
    assert verify(recorded.storage, store) == []
    assert said[0].startswith(
        "MLflow: the experiment iwae-sweeps was deleted: restored with the runs of tiny"
    )
    assert store.client.run(run).tags["mlflow.note.content"] == "a note"
    assert [sweep["name"] for sweep in store.list_sweeps()] == ["tiny"]
    repair_sweep(other.storage, store)
    assert verify(other.storage, store) == []


def test_a_root_that_cannot_be_written_is_refused_before_the_start(store: RunStore, tmp_path: Path):
    (tmp_path / "mlartifacts").write_text("a file where a folder must be")
    with pytest.raises(
        RecordError, match=r"mlartifacts of iwae-sweeps.*cannot be written: .*must be a place"
    ):
        store.prepare("tiny")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_root_without_permission_is_refused_before_the_start(store: RunStore, tmp_path: Path):
    (tmp_path / "mlartifacts").mkdir(mode=stat.S_IRUSR)
    with pytest.raises(RecordError, match="Permission denied"):
        store.prepare("tiny")


def test_the_proof_leaves_nothing(store: RunStore, tmp_path: Path):
    store.prepare("tiny")
    assert [path for path in (tmp_path / "mlartifacts").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["e" * 257, " "])
def test_a_name_that_no_experiment_can_have_is_refused(database: Path, name: str):
    store = RunStore(f"sqlite:///{database}", name).open()
    with pytest.raises(
        RecordError, match=r"tracking.experiment: \d+ characters are not allowed: must be a name"
    ):
        store.prepare("tiny")


def test_a_refusal_ends_the_waiting_at_once_with_the_words_of_the_store(
    finished: Sweep, store: RunStore, caplog: pytest.LogCaptureFixture
):
    store.prepare("tiny")
    deleted_experiment(store)
    caplog.set_level(logging.WARNING, "tracking")
    with Recorder(finished.storage, store, interval=0.1, patience=10_000) as recorder:
        pass
    assert not recorder.complete
    assert "was deleted in" in str(recorder.trouble)
    assert "waiting up to" not in caplog.text


def test_what_was_refused_and_is_mended_while_the_sweep_runs_is_recorded(finished: Sweep, store: RunStore):
    store.prepare("tiny")
    identity = deleted_experiment(store)
    with Recorder(finished.storage, store, interval=0.1) as recorder:
        wait_until(lambda: recorder.trouble is not None)
        time.sleep(1)
        store.client.restore_experiment(identity)
    assert recorder.complete
    assert recorder.trouble is None
    assert verify(finished.storage, store) == []


def test_one_refused_trial_does_not_stop_the_others(
    finished: Sweep, store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    create, refused = store.client.create_run, finished.plan[1].name

    def refuse_one(experiment_id: str, name: str, *rest: object) -> object:
        if name == refused:
            raise RefusedError("not this one")
        return create(experiment_id, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(store.client, "create_run", refuse_one)
    with pytest.raises(RefusedError, match=f"{refused}: not this one"):
        store.sync(finished.storage.record())
    assert [run.name for run in store.trial_runs("tiny")] == [finished.plan[0].name, finished.plan[2].name]
    monkeypatch.undo()
    assert len(verify(finished.storage, store)) == 1
    store.sync(finished.storage.record())
    assert verify(finished.storage, store) == []


def long_plan(path: str) -> PlannedTrial:
    """Eleven varied paths, and a value as long as no path may be."""
    varied = {
        "data.path": path,
        "objective.num_samples": 50,
        "model.latent_dim": 20,
        "optimizer.lr": 0.00123,
        "model.hidden_dims": [8] * 100,
        "batch_size": 123,
        "evaluation.num_samples": 123,
        "evaluation.num_images": 1234,
        "evaluation.final_num_samples": 5123,
        "optimizer.weight_decay": 0.123,
    }
    config = TrainConfig.parse(
        {
            "data": {"name": "npz", "path": path},
            "num_epochs": EPOCHS,
            "model": {"hidden_dims": [8] * 100, "latent_dim": 2},
        }
    )
    varied = {name: value for name, value in varied.items() if name in config.flat()}
    return PlannedTrial(0, varied, config)


def test_names_and_values_over_the_limits_are_cut_and_compared_as_stored(tmp_path: Path, store: RunStore):
    sweep = Sweep(tmp_path / "storage")
    planned = long_plan("/" + "x" * (MAX_PARAM + 1000))
    storage = SweepStorage(sweep.storage.files, "long")
    storage.create(Decided.of({**sweep.storage.spec(), "name": "long"}, [planned], {"packages": {}}))
    sweep.storage, sweep.plan = storage, [planned]
    sweep.begin(0)
    storage.trial(planned.key).write_outcome(TrialState.FAILED, "TrainingError: " + "y\0" * 9000)
    sweep.close()
    store.sync(storage.record())
    store.sync(storage.record(), afresh=True)
    (run,) = store.trial_runs("long")
    assert len(planned.name) > MAX_RUN_NAME
    assert len(run.name) == MAX_RUN_NAME
    assert len(run.params["data.path"]) == MAX_PARAM
    assert planned.config.data.path in store.client.artifacts.read(run.id, "config.yaml").decode()
    assert verify(storage, store) == []
