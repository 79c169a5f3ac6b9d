"""A project that is copied or moved goes on where it is, and leaves the original as it was."""

import hashlib
import logging
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.trained import train_sweep
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.mlflow.models import LoggedModels
from tracking.publish import publish
from tracking.reproduction import reproduce
from tracking.runs.reproduction_run import log as log_reproduction
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


def store_of(project: Path) -> RunStore:
    return RunStore(f"sqlite:///{project}/mlflow.db").open()


def storage_of(project: Path) -> SweepStorage:
    return SweepStorage(Folder(project / "sweeps-storage"), "trained")


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("a project") / "first"
    project.mkdir()
    storage = train_sweep(project / "sweeps-storage")
    publish(storage.record(), storage, RunStore(f"sqlite:///{project}/mlflow.db").open(create=True))
    return project


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """In a folder of its own, as if it had been made there."""
    project = tmp_path / "first"
    shutil.copytree(finished_project, project)
    store_of(project)
    return project


def content(folder: Path) -> Mapping[str, tuple[int, str]]:
    """Of every file when it was written and what it holds; of every folder when something in it changed."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *folder.rglob("*"))
    }


def addresses(project: Path) -> set[str]:
    with sqlite3.connect(project / "mlflow.db") as connection:
        found = set()
        for query in (
            "SELECT artifact_location FROM experiments",
            "SELECT artifact_uri FROM runs",
            "SELECT artifact_location FROM logged_models",
            "SELECT value FROM tags WHERE key = 'sweeps.storage'",
        ):
            found |= {value for (value,) in connection.execute(query)}
    return found


def work_on(project: Path) -> None:
    """Everything that writes to MLflow: a repair, a report, the best model, a reproduction."""
    storage, store = storage_of(project), store_of(project)
    assert verify(storage, store) == []
    repair_sweep(storage, store)
    assert verify(storage, store) == []
    record = storage.record()
    publish(record, storage, store)
    trial = record.trials[0]
    run = store.trial_run_id("trained", trial.key)
    assert run is not None
    log_reproduction(store.client, record, trial, run, reproduce(record, trial))
    for model in LoggedModels(store.client).find({"sweeps.name": "trained"}):
        LoggedModels(store.client).delete(model)
    publish(record, storage, store)
    assert verify(storage, store) == []


def test_work_in_a_copy_leaves_the_original_untouched(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "second"
    shutil.copytree(project, copy)
    before = content(project)
    work_on(copy)
    assert content(project) == before
    assert all(str(copy) in address and f"{project}/" not in address for address in addresses(copy))


@pytest.fixture
def by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose runs are in MLflow's own experiment, made from another folder."""
    project = tmp_path / "first"
    project.mkdir()
    monkeypatch.chdir(tmp_path)
    storage = train_sweep(project / "sweeps-storage")
    store = RunStore(f"sqlite:///{project}/mlflow.db", "Default").open(create=True)
    publish(storage.record(), storage, store)
    assert list(project.glob("mlruns/0/*/artifacts"))
    assert not (tmp_path / "mlruns").exists()
    return project


def test_mlflows_own_experiment_follows_too(by_default: Path, tmp_path: Path) -> None:
    copy, moved = tmp_path / "second", tmp_path / "third"
    shutil.copytree(by_default, copy)
    before = content(by_default)
    work_on(copy)
    assert content(by_default) == before
    by_default.rename(moved)
    work_on(moved)
    assert not by_default.exists()


def test_a_moved_project_goes_on_where_it_is(project: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "with space"
    moved.parent.mkdir()
    project.rename(moved)
    work_on(moved)
    assert not project.exists()


def test_a_store_that_moved_says_so_once(
    project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "second"
    shutil.copytree(project, copy)
    with caplog.at_level(logging.WARNING):
        store_of(copy)
        store_of(copy)
    old, new = ((folder / "mlartifacts").as_uri() for folder in (project, copy))
    (record,) = caplog.records
    assert record.message.endswith(f"was made elsewhere: its artifacts at {old} are now at {new}")


def test_another_spelling_of_the_place_moves_nothing(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    before = addresses(project)
    store_of(tmp_path / "link")
    assert addresses(project) == before


def test_an_experiment_whose_files_lie_elsewhere_by_choice_stays_there(project: Path) -> None:
    store_of(project).client.create_experiment("mine", "file:///data/results")
    store_of(project)
    assert "file:///data/results" in addresses(project)


def test_a_copy_of_storage_alone_is_told_where_the_sweep_is(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "sweeps-storage", tmp_path / "other")
    copy = SweepStorage(Folder(tmp_path / "other"), "trained")
    with pytest.raises(RecordError, match=f"--storage {project}/sweeps-storage goes on with it") as told:
        store_of(project).sync(copy.record())
    assert "delete" not in str(told.value)


def test_a_missing_store_names_the_command_that_makes_it_again(project: Path) -> None:
    with pytest.raises(RecordError, match="`sweeps verify NAME --repair` makes it again"):
        RunStore(f"sqlite:///{project}/gone.db").open()
    store = RunStore(f"sqlite:///{project}/gone.db").open(create=True)
    repair_sweep(storage_of(project), store)
    assert verify(storage_of(project), store) == []


def test_reading_a_copy_looks_in_the_copy_and_writes_nothing(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "second"
    shutil.copytree(project, copy)
    shutil.rmtree(project)
    before = content(copy)
    store, storage = RunStore(f"sqlite:///{copy}/mlflow.db").open(reading=True), storage_of(copy)
    assert [sweep["storage"] for sweep in store.list_sweeps()] == [str(copy / "sweeps-storage")]
    assert verify(storage, store) == []
    run_id = store.trial_run_id("trained", storage.plan()[0].key)
    assert run_id is not None
    assert store.find_trial(run_id)[2] == str(copy / "sweeps-storage")
    assert content(copy) == before


def test_storage_and_database_that_were_copied_to_two_places_work_together(
    project: Path, tmp_path: Path
) -> None:
    store_of(project).sync(storage_of(project).record())  # which notes where it is recorded
    shutil.copytree(project / "sweeps-storage", tmp_path / "files")
    (tmp_path / "records").mkdir()
    shutil.copy(project / "mlflow.db", tmp_path / "records")
    before = content(project)
    storage = SweepStorage(Folder(tmp_path / "files"), "trained")
    store_of(tmp_path / "records")  # another command, which does not name the storage
    store = store_of(tmp_path / "records")
    repair_sweep(storage, store)
    assert verify(storage, store) == []
    assert content(project) == before


def test_a_repair_with_a_copy_of_storage_leaves_the_runs_of_the_original(
    project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project / "sweeps-storage", tmp_path / "other")
    copy = SweepStorage(Folder(tmp_path / "other"), "trained")
    trial = copy.trial(copy.plan()[0].key)
    for name in trial.names():  # not begun in the copy, so that its run would be one too many
        copy.files.delete(trial.path(name))
    store = store_of(project)
    with pytest.raises(RecordError, match="are those of the sweep in"):
        repair_sweep(copy, store)
    (fault,) = [fault for fault in verify(copy, store) if "MLflow" in fault.what]
    assert "are those of the sweep in" in fault.what
    assert verify(storage_of(project), store) == []
