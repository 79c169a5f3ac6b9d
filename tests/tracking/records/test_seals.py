"""What a sweep wrote is told from what was edited, swapped or brought from elsewhere."""

import json
import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.hand_made import Sweep
from support.zip_edits import rewritten
from tracking.records.records import TrialState
from tracking.records.shapes import Attempt
from tracking.storage.sweep import SweepStorage
from tracking.verification.mend import mend
from tracking.verification.storage import storage_faults

EDITS = 100


def leaves(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of the plain values in nested JSON."""
    items = (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    )
    inner = [leaf for name, value in items for leaf in leaves(value, (*path, name))]
    yield from inner if isinstance(values, dict | list) else [path]


def edited(content: bytes, chance: random.Random) -> bytes:
    """JSON with one value changed as a person would: a number moved, a text or a flag turned."""
    values = json.loads(content)
    found = [leaf for leaf in leaves(values) if leaf[0] != "seal"]
    if not found:
        return json.dumps({**values, "added": 1} if isinstance(values, dict) else [*values, 1]).encode()
    *above, last = chance.choice(found)
    place = values
    for name in above:
        place = place[name]
    old = place[last]
    if isinstance(old, bool) or old is None:
        place[last] = not old
    elif isinstance(old, int | float):
        place[last] = old + chance.choice([1, -1, 0.5])
    else:
        place[last] = f"{old}x"
    return json.dumps(values).encode()


def edit(sweep: Sweep, chance: random.Random) -> str:
    """Change one value in one file of storage; CRCs are right afterwards."""
    files = sorted(path for path in sweep.folder.rglob("*") if path.suffix in (".zip", ".json"))
    path = chance.choice([path for path in files if path.name != "sync.json"])
    if path.suffix == ".json":
        path.write_bytes(edited(path.read_bytes(), chance))
        return path.name
    with zipfile.ZipFile(path) as archive:
        member = chance.choice([name for name in archive.namelist() if name != "seal.json"])
        old = archive.read(member)
    if member.endswith(".json"):
        new = edited(old, chance)
    else:
        position = chance.randrange(len(old))
        new = old[:position] + bytes([old[position] ^ 1 << chance.randrange(8)]) + old[position + 1 :]
    rewritten(path, member, new)
    return f"{path.name}/{member}"


@pytest.fixture
def ended(begun: Sweep) -> Sweep:
    """A complete trial, one that failed after two checkpoints, one that waits; the driver ended."""
    begun.storage.trial(begun.plan[1].key).write_outcome(
        TrialState.FAILED, "NonFiniteError: nan", ended=1.7e9
    )
    return begun


def test_each_of_a_hundred_random_edits_is_found(ended: Sweep, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(ended.folder, whole)
    assert list(storage_faults(ended.storage)) == []
    missed = []
    for seed in range(EDITS):
        what = edit(ended, random.Random(seed))
        fresh = SweepStorage(ended.storage.files, "tiny")
        fresh.record()  # never a traceback
        if not any("altered" in f.what or "not what was decided" in f.what for f in storage_faults(fresh)):
            missed.append((seed, what))
        shutil.rmtree(ended.folder)
        shutil.copytree(whole, ended.folder)
    assert missed == []


def swapped(sweep: Sweep, first: int, second: int, name: str = "final.zip") -> None:
    one, other = sweep.trial_folder(first) / name, sweep.trial_folder(second) / name
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def test_two_results_that_changed_places_are_not_believed(finished: Sweep) -> None:
    swapped(finished, 0, 1)
    states = [trial.state for trial in finished.storage.record().trials]
    assert states == [TrialState.RUNNING, TrialState.RUNNING, TrialState.COMPLETE]
    found = {fault.trial_key: fault.what for fault in storage_faults(finished.storage)}
    assert set(found) == {finished.plan[0].key, finished.plan[1].key}
    assert f"final.zip was altered: it is trial {finished.plan[1].key[:12]}'s" in found[finished.plan[0].key]
    assert "`sweeps resume tiny` then trains the trial again" in found[finished.plan[0].key]


@pytest.mark.parametrize("name", ["attempt-0001.json", "outcome.json"])
def test_other_files_that_changed_places_are_not_believed(begun: Sweep, name: str) -> None:
    begun.storage.trial(begun.plan[1].key).write_outcome(TrialState.STOPPED)
    begun.storage.trial(begun.plan[2].key).begin_attempt(Attempt(started=3.0))
    begun.storage.trial(begun.plan[2].key).write_outcome(TrialState.FAILED, "x")
    swapped(begun, 1, 2, name)
    assert len(list(storage_faults(begun.storage))) == 2
    assert all("'s: it is not believed" in fault.what for fault in storage_faults(begun.storage))


def test_a_result_of_a_deleted_sweep_of_the_same_name_is_not_believed(finished: Sweep) -> None:
    old = (finished.trial_folder(0) / "final.zip").read_bytes()
    shutil.rmtree(finished.folder)
    new = Sweep(finished.folder.parent)
    new.begin(0)
    (new.trial_folder(0) / "final.zip").write_bytes(old)
    assert new.storage.record().trials[0].state is TrialState.RUNNING
    (fault,) = storage_faults(new.storage)
    assert "it belongs to another sweep, or to a deleted one of the same name" in fault.what


def test_a_trial_goes_on_from_the_intact_checkpoint_beside_a_foreign_one(begun: Sweep) -> None:
    newest = begun.trial_folder(1) / "checkpoint-000000000020.zip"
    begun.checkpoint(2, 2)
    newest.write_bytes((begun.trial_folder(2) / newest.name).read_bytes())
    for payload in (True, False):
        unit = begun.storage.trial(begun.plan[1].key).newest(payload=payload)
        assert unit is not None
        assert unit.steps == 10


def test_a_copy_of_a_sweep_is_believed(finished: Sweep, tmp_path: Path) -> None:
    shutil.copytree(finished.folder.parent, tmp_path / "copy")
    copy = Sweep.__new__(Sweep)
    copy.storage = SweepStorage(type(finished.storage.files)(tmp_path / "copy"), "tiny")
    assert list(storage_faults(copy.storage)) == []
    assert copy.storage.record().counts == {"COMPLETE": 3}


def test_repair_leaves_an_altered_result_to_a_person(finished: Sweep) -> None:
    path = finished.trial_folder(0) / "final.zip"
    with zipfile.ZipFile(path) as archive:
        record = json.loads(archive.read("record.json"))
    record["final"]["val/nll_final"] -= 30
    rewritten(path, "record.json", json.dumps(record).encode())
    before = path.read_bytes()
    assert mend(finished.storage) == []
    assert path.read_bytes() == before
    (fault,) = storage_faults(finished.storage)
    assert "final.zip was altered: record.json is not what was sealed when it was written" in fault.what
    path.unlink()  # the person decides
    assert list(storage_faults(finished.storage)) == []


@pytest.mark.parametrize(
    "name", ["sessions/0001.json", "trials/0/final.zip", "trials/0/attempt-0001.json", "sweep.zip"]
)
def test_a_pipe_in_place_of_a_file_is_a_fault_and_is_not_waited_for(finished: Sweep, name: str) -> None:
    path = finished.folder / name.replace("trials/0", f"trials/{finished.plan[0].key}")
    path.unlink()
    os.mkfifo(path)
    finished.storage.record()
    fresh = SweepStorage(finished.storage.files, "tiny")
    assert len(list(storage_faults(fresh))) == 1


@pytest.mark.parametrize("content", [b"[]", b"{}", b'"x"', b'{"started": "now"}', b"\xff\xfe", b"NaN", b"["])
def test_a_session_of_another_shape_is_left_out(finished: Sweep, content: bytes) -> None:
    (finished.folder / "sessions" / "0001.json").write_bytes(content)
    assert finished.storage.record().sessions == ()
    assert len(list(storage_faults(finished.storage))) == 1
    assert mend(finished.storage) == ["sessions/0001.json was torn or altered"]
    assert list(storage_faults(finished.storage)) == []


def test_every_flipped_bit_of_a_session_is_noticed(finished: Sweep) -> None:
    path = finished.folder / "sessions" / "0001.json"
    content = path.read_bytes().rstrip()
    for position in range(len(content)):
        flipped = content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
        path.write_bytes(flipped)
        try:
            same = json.loads(flipped) == json.loads(content)
        except ValueError:
            same = False
        assert same or finished.storage.session(1) is None, flipped


def test_the_plan_remembers_what_was_decided_before(sweep: Sweep) -> None:
    first = sweep.storage.decided()
    sweep.storage.write_plan(sweep.plan[:2])
    second = sweep.storage.decided()
    assert second.earlier == (first.digest,)
    assert second.instance == first.instance
    assert second.digest != first.digest
    sweep.storage.write_plan(sweep.plan[:2])
    assert sweep.storage.decided().earlier == (first.digest,)
