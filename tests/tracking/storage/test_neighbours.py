"""A neighbour that cannot be read, or is damaged, is a line; the others are told as ever."""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from support.hand_made import Sweep
from sweeps.plan.forecast import seconds_scale
from sweeps.screen.status import show_status, show_sweeps
from sweeps.spec.spec import load_spec
from sweeps.status import status_json, sweeps_json
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

NOBODY = 65534


@contextmanager
def as_another_user() -> Iterator[None]:
    """Root may look into every folder."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def storage() -> Iterator[Folder]:
    """One sweep that can be read, a folder that cannot, a torn sweep and a half deleted one."""
    root = Path(tempfile.mkdtemp(prefix="sweeps-"))
    root.chmod(0o755)
    try:
        Sweep(root).finish()
        for name in ("private", "torn", "half"):
            shutil.copytree(root / "tiny", root / name)
        (root / "torn" / "sweep.zip").write_bytes(b"torn")
        (root / "torn" / "plan.jsonl").write_bytes(b"torn\n")
        (root / "half" / "deleting.json").write_text('{"time": 1}')
        (root / "private").chmod(0)
        yield Folder(root)
    finally:
        (root / "private").chmod(0o700)
        shutil.rmtree(root)


def test_list_plan_and_status_go_on_beside_neighbours_that_cannot_be_read(storage: Folder):
    spec = load_spec("quickstart")
    sweeps_json(storage, None)  # everything is imported before the user changes
    with as_another_user():
        rows = {row["name"]: row for row in sweeps_json(storage, None)}
        rate = seconds_scale(storage, spec)
        with pytest.raises(RecordError, match=r"no sweep other in .*tiny"):
            SweepStorage(storage, "other").record()
    assert rows["tiny"]["trials"] == {"COMPLETE": 3}
    assert rows["tiny"]["error"] is None
    assert "Permission denied" in rows["private"]["error"]
    assert "plan.jsonl cannot be read" in rows["torn"]["error"]
    assert rows["half"]["error"].endswith("half is half deleted: `sweeps delete half` finishes it")
    assert rate is not None
    text = io.StringIO()
    show_sweeps(list(rows.values()), Console(file=text, width=200))
    assert sum(line.startswith("private") for line in text.getvalue().splitlines()) == 2
    assert "3 COMPLETE" in text.getvalue()


@pytest.mark.parametrize("bit", [3, 400, 1201])
def test_a_flipped_bit_of_a_session_is_a_line_of_list_and_of_status(finished: Sweep, bit: int):
    path = finished.folder / "sessions" / "0001.json"
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)
    text = io.StringIO()
    show_sweeps(sweeps_json(finished.storage.files, None), Console(file=text, width=200))
    show_status({**status_json(finished.storage), "job": None}, Console(file=text, width=200))
    line = "tiny: sessions/0001.json is torn or altered: see `sweeps verify tiny`"
    assert text.getvalue().splitlines().count(line) == 2


def test_a_sweep_of_the_same_name_elsewhere_is_a_row_of_its_own(
    finished: Sweep, store: RunStore, tmp_path: Path
):
    parent = store.sync(finished.storage.record())
    other = Sweep(tmp_path / "other")
    rows = sweeps_json(other.storage.files, store)
    assert [(row["storage"], row["parent_run_id"]) for row in rows] == [
        (str(tmp_path / "other"), None),
        (str(finished.folder.parent), parent),
    ]
