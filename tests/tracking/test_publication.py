import json
import shutil
from pathlib import Path

import pytest

from tracking.files.folder import Folder
from tracking.mlflow.models import LoggedModels
from tracking.publish import publish, publish_if_missing
from tracking.records.records import TrialState
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.runs import verify


@pytest.fixture
def storage(trained: SweepStorage, tmp_path: Path) -> SweepStorage:
    """A sweep of its own, which a test may change."""
    shutil.copytree(trained.uri, tmp_path / "copy" / "trained")
    return SweepStorage(Folder(tmp_path / "copy"), "trained")


@pytest.fixture
def unit(storage: SweepStorage, tmp_path: Path) -> tuple[Path, Path]:
    """Where the last trial's last unit lies, and where it is kept until the trial is complete."""
    key = storage.plan()[-1].key
    return Path(storage.uri, "trials", key, "final.zip"), tmp_path / "final.zip"


def reported(storage: SweepStorage) -> int:
    """How many complete trials the stored report knows."""
    values = json.loads(storage.files.read(storage.path("report", "tradeoff.json")))
    return int(values["trials"]["COMPLETE"])


def test_a_report_of_a_running_sweep_leaves_the_runs_to_its_recorder(
    storage: SweepStorage, store: RunStore, unit: tuple[Path, Path]
):
    final, kept = unit
    final.rename(kept)
    reporter = RunStore(store.tracking_uri).open()
    with Session(storage, command="test") as session:
        old = storage.record()
        parent = store.sync(old)
        kept.rename(final)
        store.sync(storage.record())
        assert publish(old, storage, reporter) == parent
        assert LoggedModels(store.client).find({"sweeps.name": "trained"}) == {}
        states = {run.tags["sweeps.state"] for run in store.trial_runs("trained")}
        assert states == {TrialState.COMPLETE.value}
        session.close("finished")
    assert "report/index.html" in store.client.artifacts.files(parent)
    store.sync(storage.record())
    assert verify(storage, store) == []


def test_a_report_before_the_first_sync_makes_the_parent(storage: SweepStorage, store: RunStore):
    with Session(storage, command="test") as session:
        parent = publish(storage.record(), storage, RunStore(store.tracking_uri).open())
        assert store.sync(storage.record()) == parent
        session.close("finished")
    store.sync(storage.record())
    assert verify(storage, store) == []


def test_a_report_that_was_begun_before_the_end_is_not_the_last_one(
    storage: SweepStorage, store: RunStore, unit: tuple[Path, Path]
):
    final, kept = unit
    final.rename(kept)
    with Session(storage, command="test") as session:
        old = storage.record()
        store.sync(old)
        kept.rename(final)
        session.close("finished")
    newest = storage.record()
    publish(newest, storage, store)
    publish(old, storage, RunStore(store.tracking_uri).open())
    assert reported(storage) == len(newest.complete) == len(old.complete) + 1
    assert len(LoggedModels(store.client).find({"sweeps.name": "trained"})) == 1
    assert verify(storage, store) == []


def test_what_ended_while_mlflow_was_away_gets_its_report_afterwards(
    storage: SweepStorage, store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    parent = store.sync(storage.record())
    publish_if_missing(storage.record(), storage, store)
    assert "report/index.html" in store.client.artifacts.files(parent)
    assert "mlflow.note.content" in store.client.run(parent).tags
    monkeypatch.setattr(store, "attach_report", lambda *_: pytest.fail("it is there"))
    publish_if_missing(storage.record(), storage, store)
