import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

from tracking.provenance.machine import environment
from tracking.provenance.provenance import code, code_identity, differences


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "iwae").mkdir()
    (tmp_path / "iwae" / "a.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    git(tmp_path, "add", "iwae/a.py", "notes.txt")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout_has_its_commit_and_no_diff(checkout: Path):
    found = code(checkout)
    assert found["commit"] == git(checkout, "rev-parse", "HEAD")
    assert (found["dirty"], found["diff"], found["untracked"]) == (False, "", [])


def test_what_is_not_committed_is_a_patch_that_applies(checkout: Path):
    (checkout / "iwae" / "a.py").write_text("x = 2\n")
    (checkout / "iwae" / "b.py").write_text("y = 1\n")
    found = code(checkout)
    assert found["dirty"] is True
    assert found["untracked"] == ["iwae/b.py"]
    git(checkout, "checkout", "-q", "iwae/a.py")
    subprocess.run(["git", "apply"], cwd=checkout, input=found["diff"].encode(), check=True)
    assert (checkout / "iwae" / "a.py").read_text() == "x = 2\n"


def test_what_else_a_repository_holds_is_its_owners(checkout: Path):
    (checkout / "notes.txt").write_text("password = hunter2\n")
    (checkout / "letter.txt").write_text("hunter2\n")
    found = code(checkout)
    assert (found["dirty"], found["diff"], found["untracked"]) == (False, "", [])


def test_packages_below_a_repositorys_root_are_found_as_well(checkout: Path):
    below = checkout / "vendor"
    (below / "sweeps").mkdir(parents=True)
    (below / "sweeps" / "a.py").write_text("x = 1\n")
    git(checkout, "add", "vendor")
    git(checkout, "commit", "-q", "-m", "second")
    (below / "sweeps" / "a.py").write_text("x = 2\n")
    assert "+x = 2" in code(below)["diff"]


def test_a_copy_installed_inside_a_checkout_is_none_of_it(checkout: Path):
    """An environment's folder is in the user's own repository, whose changes are not ours."""
    installed = checkout / ".venv" / "site-packages"
    (installed / "tracking").mkdir(parents=True)
    (installed / "tracking" / "a.py").write_text("x = 1\n")
    (checkout / ".gitignore").write_text(".venv\n")
    (checkout / "iwae" / "a.py").write_text("api_key = 'secret'\n")
    found = code(installed)
    assert (found["commit"], found["dirty"], found["diff"], found["untracked"]) == (None, None, None, [])


def test_a_staged_file_is_in_the_diff(checkout: Path):
    (checkout / "iwae" / "c.py").write_text("z = 1\n")
    git(checkout, "add", "iwae/c.py")
    assert "+z = 1" in code(checkout)["diff"]


def test_outside_a_checkout_the_version_is_left(tmp_path: Path):
    found = code(tmp_path)
    assert found["commit"] is None
    assert found["dirty"] is None
    assert found["diff"] is None
    assert (
        found["packages"]["torch"] == torch.__version__.split("+")[0]
        or found["packages"]["torch"] == torch.__version__
    )


def test_a_machine_without_git_is_no_error(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert code(checkout)["commit"] is None


def test_a_repository_without_a_commit_is_no_error(tmp_path: Path):
    git(tmp_path, "init", "-q")
    assert code(tmp_path)["commit"] is None


def test_the_environment_names_machine_versions_data_and_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment("cpu", 2, "ab" * 32, 7)
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == numpy.__version__
    assert found["cores"] == os.cpu_count()
    assert (found["device"], found["threads"], found["dataset_hash"], found["seed"]) == (
        "cpu",
        2,
        "ab" * 32,
        7,
    )
    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert found["gpu"] is None


def test_differences_are_named_by_their_path():
    old = {"torch": "2.8", "variables": {"OMP_NUM_THREADS": "1", "X": "y"}, "cpu": "A"}
    new = {"torch": "2.9", "variables": {"OMP_NUM_THREADS": "2", "X": "y"}, "cpu": "A", "gpu": "H200"}
    assert differences(old, new) == {
        "torch": ["2.8", "2.9"],
        "variables.OMP_NUM_THREADS": ["1", "2"],
        "gpu": [None, "H200"],
    }
    assert differences(old, old) == {}


def test_another_patch_is_another_code():
    a, b = ({"commit": "c", "dirty": True, "diff": text} for text in ("+x", "+y"))
    assert list(differences(code_identity(a), code_identity(b))) == ["diff"]
    assert code_identity({"commit": "c", "command": "one"}) == code_identity(
        {"commit": "c", "command": "two"}
    )


def imported(module: str, *names: str) -> bool:
    """Whether a process that imports the module has imported any of these too."""
    program = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {names}))"
    return subprocess.run([sys.executable, "-c", program], check=False).returncode != 0


def test_workers_import_provenance_without_mlflow_or_plotting():
    assert not imported("tracking.provenance.machine", "mlflow", "matplotlib", "plotly", "ray")


@pytest.mark.parametrize(
    "module",
    [
        "tracking.provenance.provenance",
        "tracking.provenance.codes",
        "tracking.records.contents",
        "tracking.storage.sessions",
        "tracking.storage.incremental",
    ],
)
def test_a_sweep_is_read_without_pytorch(module: str):
    assert not imported(module, "torch", "mlflow", "ray")
