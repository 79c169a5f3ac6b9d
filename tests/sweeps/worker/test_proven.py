"""The code that a worker runs is the driver's, whatever other folders hold."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from support.workplace import Workplace, deterministic
from sweeps.machines.package import pack
from sweeps.process.imports import take
from sweeps.worker.proven import trainable
from tracking.provenance import sources

REPOSITORY = Path(__file__).resolve().parents[3]
# A worker: what Ray sends arrives, and the class says which code it found.
WORKER = """
import json, pickle, sys
sys.path[:0] = json.loads(sys.argv[2])
sent = pickle.load(open(sys.argv[1], "rb"))
loaded = [name for name in sys.modules if name.partition(".")[0] in ("iwae", "tracking", "sweeps")]

refused = sent.setup.__globals__["refusal"](sent.driver)
import iwae
print(json.dumps({"before": loaded, "refused": refused, "iwae": iwae.__file__}))
"""


def fakes(folder: Path) -> Path:
    """What issue 8 found in people's folders: another checkout, an empty package, one that raises."""
    for name, text in {
        "iwae/__init__.py": "",
        "iwae/evaluation/evaluate.py": "evaluate = lambda *_, **__: -30.0",
        "sweeps/__init__.py": "raise RuntimeError('not the sweeps that was started')",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "tracking").mkdir()
    return folder


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    file = tmp_path / "sent.pickle"
    file.write_bytes(cloudpickle.dumps(trainable()))
    return file


def worker(sent: Path, *path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WORKER, str(sent), json.dumps([str(folder) for folder in path])],
        cwd=path[0],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_worker_takes_the_drivers_code_from_behind_others(sent: Path, tmp_path: Path) -> None:
    pack(tmp_path / "packed")
    said = worker(sent, fakes(tmp_path / "fakes"), tmp_path / "packed")
    assert said == {
        "before": [],
        "refused": None,
        "iwae": str(tmp_path / "packed" / "iwae" / "__init__.py"),
    }


def test_a_worker_with_other_code_names_the_file(sent: Path, tmp_path: Path) -> None:
    pack(tmp_path / "packed")
    file = tmp_path / "packed" / "iwae" / "errors.py"
    file.write_text(file.read_text() + "# edited\n")
    refused = worker(sent, tmp_path / "packed")["refused"]
    assert refused.endswith(f" has other code than the driver: iwae/errors.py in {tmp_path / 'packed'}")


def test_a_worker_without_the_drivers_code_says_so(sent: Path, tmp_path: Path) -> None:
    refused = worker(sent, fakes(tmp_path / "fakes"))["refused"]
    assert refused.endswith(" has no copy of the driver's code on its path")


def test_what_a_package_raises_at_import_is_the_workers_message(tmp_path: Path) -> None:
    pack(tmp_path)
    (tmp_path / "sweeps" / "worker" / "trial_files.py").write_text(
        "raise OSError('libnvidia.so: no such file')"
    )
    code = (
        "import sys; from pathlib import Path; from sweeps.worker.proven import refusal\n"
        "from tracking.provenance.sources import manifest\n"
        "print(refusal(manifest(Path(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith(" cannot import the driver's code: OSError: libnvidia.so: no such file\n")


def test_packages_of_other_folders_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "taken").mkdir(parents=True)
        (tmp_path / place / "taken" / "__init__.py").write_text(f"place = {place!r}\n")
        (tmp_path / place / "taken" / "part.py").write_text(f"place = {place!r}\n")
    monkeypatch.syspath_prepend(tmp_path / "one")
    import taken.part  # type: ignore[import-not-found]

    assert taken.part.place == "one"
    take(["taken"], tmp_path / "two")
    import taken.part

    assert (sys.modules["taken"].place, taken.part.place) == ("two", "two")
    with pytest.raises(ImportError, match="no package taken in"):
        take(["taken"], tmp_path)
    for name in ("taken", "taken.part"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.service
def test_other_packages_in_the_working_folder_and_on_pythonpath_change_nothing(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the console script, in a folder of fakes that PYTHONPATH names as well."""
    expected = [
        (trial.plan.name, deterministic(trial.final or {})) for trial in finished[0].storage().record().trials
    ]
    monkeypatch.setenv("PYTHONPATH", str(fakes(tmp_path / "fakes") / "more"))
    (tmp_path / "fakes" / "more" / "tracking").mkdir(parents=True)
    place = Workplace(tmp_path / "fakes")
    script = Path(sys.executable).with_name("sweeps")
    done = subprocess.run([script, "run", place.spec], cwd=place.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = place.storage().record()
    assert [(t.plan.name, deterministic(t.final or {})) for t in record.trials] == expected
    proven = {trial.provenance["code_sha256"] for trial in record.trials}
    assert proven == {record.code["sources"]["sha256"]}
    assert record.code["sources"]["files"] == sources.manifest(REPOSITORY)


OTHER = """
import sweeps.machines.package
from sweeps.cli.entry import main
pack = sweeps.machines.package.pack
def edit(folder):
    pack(folder)
    (folder / "iwae" / "errors.py").write_text("evaluate = None")
sweeps.machines.package.pack = edit
main()
"""


@pytest.mark.service
def test_other_code_in_the_workers_ends_the_sweep_with_one_line(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", OTHER, "run", str(place.spec)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "has other code" in line]
    assert line.startswith("error: a worker on ")
    assert "than the driver: iwae/errors.py in " in line
    assert line.endswith("then `sweeps resume small`")
    assert [trial.attempts for trial in place.storage().record().trials] == [()] * 4
