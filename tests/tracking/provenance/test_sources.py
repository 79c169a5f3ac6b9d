import hashlib
import tomllib
from pathlib import Path

import pytest

from tracking.errors import RecordError
from tracking.provenance import sources

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("iwae/model/vae.py", "tracking/report/page/templates/page.html", "sweeps/specs/one.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_manifest_has_each_source_file_and_its_sha256(folder: Path) -> None:
    assert sources.manifest(folder) == {
        name: hashlib.sha256(name.encode()).hexdigest()
        for name in ("iwae/model/vae.py", "sweeps/specs/one.yaml", "tracking/report/page/templates/page.html")
    }


@pytest.mark.parametrize(
    "name", ["iwae/__pycache__/model.py", "iwae/.model.py.swp", "iwae/.hidden/x.py", "notes.py", "iwae/x.txt"]
)
def test_what_is_no_source_does_not_count(folder: Path, name: str) -> None:
    before = sources.digest(sources.manifest(folder))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    assert sources.digest(sources.manifest(folder)) == before


def test_an_edited_added_moved_or_removed_file_is_another_code(folder: Path) -> None:
    seen = {sources.digest(sources.manifest(folder))}
    file = folder / "iwae" / "noise.py"
    file.write_text("edited")
    seen.add(sources.digest(sources.manifest(folder)))
    (folder / "iwae" / "added.py").write_text("")
    seen.add(sources.digest(sources.manifest(folder)))
    file.rename(folder / "iwae" / "moved.py")
    seen.add(sources.digest(sources.manifest(folder)))
    (folder / "iwae" / "moved.py").unlink()
    seen.add(sources.digest(sources.manifest(folder)))
    assert len(seen) == 5


def test_the_files_that_changed_are_named() -> None:
    assert sources.changed({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}) == ["b", "c", "d"]


def test_every_kind_of_file_that_is_installed_counts() -> None:
    tool = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = [pattern for patterns in tool["package-data"].values() for pattern in patterns]
    assert all(pattern.endswith(sources.SUFFIXES) for pattern in patterns)
    assert {pattern.removesuffix("*") for pattern in tool["packages"]["find"]["include"]} == set(
        sources.PACKAGES
    )


def test_packages_of_two_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "location", lambda name: tmp_path / name)
    with pytest.raises(RecordError, match=r"iwae: .* is not allowed: must be .* beside the other packages"):
        sources.root()
