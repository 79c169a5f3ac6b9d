"""Deleting a sweep: only what a sweep wrote, in the storage that the tracking store names."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.hand_made import Sweep
from sweeps.deletion import delete
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in
from tracking.store import RunStore


class KilledError(Exception):
    pass


class Dying(Folder):
    """A folder whose process is killed before its n-th removal."""

    def __init__(self, root: Path, removals: int) -> None:
        super().__init__(root)
        self.left = removals

    def _die(self) -> None:
        if not self.left:
            raise KilledError
        self.left -= 1

    def delete(self, path: str) -> None:
        self._die()
        super().delete(path)

    def delete_all(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.delete(path)

    def tidy(self, path: str) -> None:
        self._die()
        super().tidy(path)


def said() -> tuple[list[str], Callable[[str], None]]:
    lines: list[str] = []
    return lines, lines.append


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_nothing_is_left_of_a_deleted_sweep(finished: Sweep, store: RunStore, database: Path):
    store.sync(finished.storage.record())
    assert any(path.is_file() for path in (database.parent / "mlartifacts").rglob("*"))
    lines, tell = said()
    delete(finished.storage, store, tell)
    assert lines == []
    assert tree(finished.folder.parent) == []
    assert tree(database.parent / "mlartifacts") == []
    assert store.client.runs({"sweeps.name": "tiny"}) == []


def test_what_no_sweep_wrote_stays_and_is_named(finished: Sweep):
    folder = finished.folder
    (folder / "notes.txt").write_text("mine")
    (folder / "trials" / "mine").mkdir()
    (folder / "trials" / "mine" / "x.zip").write_text("mine")
    outside = finished.folder.parent.parent / "outside"
    outside.mkdir()
    (outside / "final.zip").write_text("mine")
    (folder / "trials" / "abc").symlink_to(outside)
    lines, tell = said()
    delete(finished.storage, None, tell)
    assert tree(folder) == ["notes.txt", "trials", "trials/abc", "trials/mine", "trials/mine/x.zip"]
    assert (outside / "final.zip").read_text() == "mine"
    assert lines == [f"{folder} keeps what no sweep wrote: notes.txt, trials/abc, trials/mine/x.zip"]
    with pytest.raises(RecordError, match=r"tiny holds notes\.txt, .*: `sweeps delete tiny` removes what"):
        finished.storage.create(Decided.of({}, [], {}))


def test_a_sweep_behind_a_link_is_not_deleted_from_here(finished: Sweep, tmp_path: Path):
    shutil.move(finished.folder, tmp_path / "tiny")
    (finished.folder).symlink_to(tmp_path / "tiny")
    before = tree(tmp_path / "tiny")
    with pytest.raises(RecordError, match=f"is a link to {tmp_path}/tiny: what is outside the storage"):
        delete(finished.storage, None, print)
    assert tree(tmp_path / "tiny") == before


def test_a_deletion_that_was_cut_short_anywhere_is_no_sweep_and_is_finished_later(
    finished: Sweep, tmp_path: Path
):
    whole = len(finished.storage.files.entries("tiny")) + 2  # the mark, and the folders
    for removals in range(whole):
        root = tmp_path / str(removals)
        shutil.copytree(finished.folder.parent, root)
        with pytest.raises(KilledError):
            delete(SweepStorage(Dying(root, removals), "tiny"), None, print)
        left = SweepStorage(Folder(root), "tiny")
        if left.files.entries("tiny"):
            assert sweeps_in(left.files) == ["tiny"]
            for read in (
                left.record,
                left.spec,
                left.plan,
                lambda left=left: left.create(Decided.of({}, [], {})),
            ):
                with pytest.raises(
                    RecordError, match=r"tiny (is half deleted: `sweeps delete tiny`|is taken)"
                ):
                    read()
            with pytest.raises(RecordError, match="is half deleted"):
                Session(left, "resume")
            delete(left, None, print)
        assert left.files.entries("tiny") == {}
        left.create(Decided.of({}, [], {}))  # the name is free
    assert removals == whole - 1


def test_runs_that_were_half_deleted_are_deleted_by_the_next_one(
    finished: Sweep, store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    record = finished.storage.record()
    store.sync(record)
    removed = store.client.delete
    for allowed in range(4):
        count = iter(range(allowed))

        def dying(run_id: str, count=count) -> None:
            if next(count, None) is None:
                raise KilledError
            removed(run_id)

        monkeypatch.setattr(store.client, "delete", dying)
        with pytest.raises(KilledError):
            delete(finished.storage, store, print)
        assert store.find_sweep("tiny") is not None
        with pytest.raises(RecordError, match="deleted meanwhile"):
            store.sync(record)
        monkeypatch.setattr(store.client, "delete", removed)
        if allowed == 3:
            break
        finished.storage.forget_deletion()
        store.sync(finished.storage.record(), afresh=True)
    delete(finished.storage, store, print)
    assert store.client.runs({"sweeps.name": "tiny"}) == []
    assert tree(finished.folder.parent) == []


def test_a_sweep_that_is_being_run_is_not_deleted(finished: Sweep, store: RunStore):
    store.sync(finished.storage.record())
    with Session(finished.storage, "run"):
        before = tree(finished.folder.parent)
        with pytest.raises(RecordError, match="tiny is being run by process"):
            delete(finished.storage, store, print)
        assert tree(finished.folder.parent) == before
    assert store.find_sweep("tiny") is not None


def test_a_driver_that_begins_while_a_deletion_begins_is_seen(
    finished: Sweep, monkeypatch: pytest.MonkeyPatch
):
    begun: list[Session] = []

    def begin_late(storage: SweepStorage) -> None:
        from tracking.storage.deletion import begin_deletion

        begun.append(Session(SweepStorage(storage.files, "tiny"), "resume"))
        begin_deletion(storage)

    monkeypatch.setattr("sweeps.deletion.begin_deletion", begin_late)
    with pytest.raises(RecordError, match="tiny is being run by process"):
        delete(finished.storage, None, print)
    assert finished.storage.record().trials
    assert begun


def test_runs_of_a_sweep_elsewhere_are_never_deleted(finished: Sweep, store: RunStore, tmp_path: Path):
    store.sync(finished.storage.record())
    nothing = SweepStorage(Folder(tmp_path / "elsewhere"), "tiny")
    with pytest.raises(
        RecordError, match=f"no sweep tiny in .*elsewhere: .* has it in {finished.folder.parent}"
    ):
        delete(nothing, store, print)
    other = Sweep(tmp_path / "other")
    lines, tell = said()
    delete(other.storage, store, tell)
    assert tree(tmp_path / "other") == []
    home = finished.folder.parent
    assert lines == [f"the runs of tiny in {store.tracking_uri} are those of the sweep in {home}, and stay"]
    assert len(store.trial_runs("tiny")) == 3


def test_a_sweep_that_runs_where_its_files_cannot_be_seen_is_not_deleted(
    begun: Sweep, store: RunStore, tmp_path: Path
):
    with Session(begun.storage, "run"):
        store.sync(begun.storage.record())
        shutil.move(begun.folder, tmp_path / "another_machine")
        with pytest.raises(RecordError, match="it may run on another machine: nothing was deleted"):
            delete(begun.storage, store, print)
        assert store.find_sweep("tiny") is not None
        shutil.move(tmp_path / "another_machine", begun.folder)


def test_the_runs_of_files_that_are_gone_are_deleted(finished: Sweep, store: RunStore):
    store.sync(finished.storage.record())
    shutil.rmtree(finished.folder)
    delete(finished.storage, store, print)
    assert store.find_sweep("tiny") is None
    with pytest.raises(RecordError, match="no sweep tiny"):
        delete(finished.storage, store, print)


def test_artifacts_outside_the_stores_own_folder_stay_and_are_named(
    finished: Sweep, store: RunStore, tmp_path: Path
):
    store.client.create_experiment("iwae-sweeps", (tmp_path / "mine").as_uri())
    store.sync(finished.storage.record())
    before = tree(tmp_path / "mine")
    assert before
    lines, tell = said()
    delete(finished.storage, store, tell)
    assert tree(tmp_path / "mine") == before
    assert len(lines) == 1
    assert f"mlflow gc --backend-store-uri '{store.tracking_uri}'" in lines[0]
