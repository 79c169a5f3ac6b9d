"""The wheel: all that is needed to run from an empty folder, and nothing else."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.service

ROOT = Path(__file__).parents[1]
PACKAGES = ("iwae", "tracking", "sweeps")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the sources, built from a copy: a build leaves its own folders beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "sources"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, copy)
    (built,) = folder.glob("*.whl")
    return built


def run(*words: object, cwd: Path | None = None) -> str:
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_source_and_no_test_or_cache(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == sources
    assert {f"{package}/py.typed" for package in PACKAGES} <= there
    assert "sweeps/specs/quickstart.yaml" in there


def test_it_runs_from_an_empty_folder_of_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    fresh, empty = tmp_path / "fresh", tmp_path / "empty"
    empty.mkdir()
    venv.create(fresh, with_pip=True)
    (site,) = fresh.glob("lib/python*/site-packages")
    run(fresh / "bin" / "pip", "install", "--no-deps", "--no-index", wheel)
    # What it depends on is what this environment has; the sources beside this test are not on the path.
    found = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(found) + "\n")
    run(fresh / "bin" / "python", "-c", f"import sweeps; assert {str(site)!r} in sweeps.__file__", cwd=empty)
    sweeps = fresh / "bin" / "sweeps"
    assert "Usage: sweeps" in run(sweeps, "--help", cwd=empty)
    assert run(sweeps, "--version", cwd=empty) == "sweeps 0.1.0\n"
    assert "quickstart" in run(sweeps, "specs", cwd=empty)
    assert "24 trials" in run(sweeps, "plan", "quickstart", "--no-probe", cwd=empty)
    assert list(empty.iterdir()) == []
