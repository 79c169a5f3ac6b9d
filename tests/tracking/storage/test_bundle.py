"""A bundle holds all of a sweep, and one that was altered or torn writes nothing."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from support.hand_made import Sweep, forecast, probe
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.bundle import Bundle, write_bundle
from tracking.storage.sweep import SweepStorage


@pytest.fixture
def made(tmp_path: Path) -> Path:
    sweep = Sweep(tmp_path / "storage")
    sweep.finish()
    sweep.storage.add_probes([probe(sweep.plan[0], 0.01)])
    sweep.storage.write_forecast(1, forecast(*sweep.plan))
    (sweep.folder / "mine.txt").write_text("not the sweep's")
    path = tmp_path / "tiny.zip"
    images = tmp_path / "images.npz"
    images.write_bytes(b"pixels")
    write_bundle(sweep.storage, path, {"images.npz": images})
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None], **options: int) -> Path:
    """The bundle with other members, its index untouched."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def indexed(members: dict[str, bytes], name: str, content: bytes) -> None:
    """Add a member that the index knows, as somebody would who forges a bundle."""
    index = json.loads(members["bundle.json"])
    index["files"][name] = {"sha256": sha256(content).hexdigest(), "size": len(content)}
    members["bundle.json"] = json.dumps(index).encode()
    members[name] = content


def test_every_file_of_the_sweep_comes_out_as_it_went_in(made: Path, tmp_path: Path) -> None:
    storage = SweepStorage(Folder(tmp_path / "elsewhere"), "tiny")
    bundle = Bundle.checked(made)
    bundle.unpack(storage)
    first = tmp_path / "storage" / "tiny"
    there = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    del there[Path("mine.txt")]
    new = tmp_path / "elsewhere" / "tiny"
    assert there == {path.relative_to(new): path.read_bytes() for path in new.rglob("*") if path.is_file()}
    assert storage.record().counts == {"COMPLETE": 3}
    assert [one.step_seconds for one in storage.record().probes] == [0.01]
    assert storage.record().forecasts[1].wall_seconds == 40.0
    assert storage.instance == SweepStorage(Folder(tmp_path / "storage"), "tiny").instance


def test_the_same_sweep_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    storage = SweepStorage(Folder(tmp_path / "storage"), "tiny")
    digest = write_bundle(storage, again, {"images.npz": tmp_path / "images.npz"})
    assert again.read_bytes() == made.read_bytes()
    assert digest == sha256(made.read_bytes()).hexdigest()
    with pytest.raises(RecordError, match="must be a new file"):
        write_bundle(storage, again, {})


def test_other_programs_can_read_it(made: Path, tmp_path: Path) -> None:
    if shutil.which("unzip") is None:
        pytest.skip("there is no unzip")
    subprocess.run(["unzip", "-q", made, "-d", tmp_path / "out"], check=True)
    assert (tmp_path / "out/changes.diff").read_text() == "--- a\n+++ b\n"
    index = json.loads((tmp_path / "out/bundle.json").read_text())
    for name, member in index["files"].items():
        assert sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == member["sha256"]


@pytest.mark.parametrize("name", ["sweep/plan.jsonl", "sweep/sweep.zip", "README.md", "data/images.npz"])
def test_an_altered_member_is_told(made: Path, name: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[name] = bytes([members[name][0] ^ 1]) + members[name][1:]

    with pytest.raises(RecordError, match=f"^{made} was altered: {name} is not what was bundled"):
        Bundle.checked(rewritten(made, change))


@pytest.mark.parametrize(
    "name",
    [
        *("sweep/../../escaped", "data/../escaped", "data//etc/passwd", "/etc/passwd", "data/a\\..\\b"),
        *("data/C:/x", "sweep/sync.json", "sweep/trials/../x/final.zip", "other.txt", "data/./x", "data/"),
    ],
)
def test_no_member_is_written_outside_the_sweep(made: Path, name: str) -> None:
    path = rewritten(made, lambda members: indexed(members, name, b"x"))
    with pytest.raises(RecordError, match="is no file of a sweep"):
        Bundle.checked(path)


def test_a_member_that_is_lost_or_added_is_told(made: Path) -> None:
    path = rewritten(made, lambda members: members.update({"sweep/stop.json": b"{}"}))
    with pytest.raises(RecordError, match="does not hold what its index names"):
        Bundle.checked(path)
    rewritten(path, lambda members: [members.pop("sweep/stop.json"), members.pop("sweep/plan.jsonl")])  # type: ignore[arg-type, return-value]
    with pytest.raises(RecordError, match="does not hold what its index names"):
        Bundle.checked(path)


def test_a_compressed_member_is_refused_before_it_is_unpacked(made: Path) -> None:
    with pytest.raises(RecordError, match="a member is compressed"):
        Bundle.checked(rewritten(made, lambda members: None, compression=zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_torn_file_is_told(made: Path, share: float) -> None:
    content = made.read_bytes()
    made.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(RecordError, match="is torn, or no bundle"):
        Bundle.checked(made)


def test_another_version_and_another_zip_are_told(made: Path, tmp_path: Path) -> None:
    path = rewritten(made, lambda members: members.update({"bundle.json": b'{"format": 2}'}))
    with pytest.raises(RecordError, match="another version"):
        Bundle.checked(path)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(RecordError, match=r"or no bundle of a sweep: it has no bundle\.json"):
        Bundle.checked(other)


def test_a_taken_name_leaves_what_is_there(made: Path, tmp_path: Path) -> None:
    before = sorted((tmp_path / "storage").rglob("*"))
    with pytest.raises(RecordError, match="the name tiny is taken"):
        Bundle.checked(made).unpack(SweepStorage(Folder(tmp_path / "storage"), "tiny"))
    assert sorted((tmp_path / "storage").rglob("*")) == before


def test_what_cannot_be_unpacked_to_the_end_leaves_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, room = Folder.create, [5]

    def create_until_full(self: Folder, path: str, content: bytes) -> bool:
        room[0] -= 1
        if room[0] < 0:
            raise RecordError("storage is full")
        return create(self, path, content)

    monkeypatch.setattr(Folder, "create", create_until_full)
    storage = SweepStorage(Folder(tmp_path / "full"), "tiny")
    with pytest.raises(RecordError, match="is full"):
        Bundle.checked(made).unpack(storage)
    assert not list((tmp_path / "full").rglob("*.*"))
    monkeypatch.setattr(Folder, "create", create)
    Bundle.checked(made).unpack(storage)


def test_data_go_where_data_are_and_replace_nothing(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    bundle = Bundle.checked(made)
    bundle.unpack_data(root, bundle.new_data(root))
    assert (root / "images.npz").read_bytes() == b"pixels"
    assert bundle.new_data(root) == []
    (root / "images.npz").write_bytes(b"others")
    with pytest.raises(RecordError, match="is another file than"):
        bundle.new_data(root)
    assert (root / "images.npz").read_bytes() == b"others"
