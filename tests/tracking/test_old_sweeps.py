"""A sweep that an earlier version made opens as it did: two trials complete, two failed on a huge rate.

Made in /tmp/old-project by `sweeps run` at commit 2bdc63e, before files had seals and sweeps had ids.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from sweeps import changes
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.provenance.provenance import environment
from tracking.publish import make_report, publish
from tracking.reproduction import reproduce
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify
from tracking.verification.storage import storage_faults

ARCHIVE = Path(__file__).parent / "fixtures" / "old-sweep.tar.xz"
# As the version that made it printed them.
FINAL = {"K=5 D=2 lr=0.001 s0": 45.368, "K=5 D=2 lr=0.001 s1": 45.534}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def storage(project: Path) -> SweepStorage:
    return SweepStorage(Folder(project / "sweeps-storage"), "old")


@pytest.fixture
def store(project: Path) -> RunStore:
    return RunStore(f"sqlite:///{project}/mlflow.db").open()


def content(folder: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_old_record_is_read_as_it_was(storage: SweepStorage) -> None:
    record = storage.record()
    assert record.counts == {"COMPLETE": 2, "FAILED": 2}
    found = {trial.plan.name: (trial.final or {})["val/nll_final"] for trial in record.complete}
    assert found == pytest.approx(FINAL, abs=5e-4)
    choice = best(record)
    assert choice is not None
    assert choice.trial.plan.name == "K=5 D=2 lr=0.001 s0"


def test_an_old_sweep_verifies_without_a_fault(storage: SweepStorage, store: RunStore) -> None:
    assert verify(storage, store) == []
    repair_sweep(storage, store)
    assert verify(storage, store) == []


def test_an_old_sweep_has_its_report(storage: SweepStorage, store: RunStore, tmp_path: Path) -> None:
    report = make_report(storage.record(), storage, tmp_path / "again")
    assert "4 trials: 2 COMPLETE and 2 FAILED" in report.summary_markdown
    publish(storage.record(), storage, store)
    assert verify(storage, store) == []


def test_an_old_sweep_that_is_finished_has_nothing_to_resume(storage: SweepStorage, store: RunStore) -> None:
    before = content(Path(storage.uri) / "trials")
    result = changes.resume(storage, store, ())
    assert result.outcome == "finished"
    assert result.record.counts == {"COMPLETE": 2, "FAILED": 2}
    assert content(Path(storage.uri) / "trials") == before
    assert verify(storage, store) == []


def test_a_copy_of_storage_alone_is_told_before_anything_starts(
    project: Path, store: RunStore, tmp_path: Path
) -> None:
    shutil.copytree(project / "sweeps-storage", tmp_path / "copy")
    copy = SweepStorage(Folder(tmp_path / "copy"), "old")
    before = content(tmp_path / "copy")
    with pytest.raises(RecordError, match=f"--storage {project}/sweeps-storage goes on with it") as told:
        changes.resume(copy, store, ())
    assert "delete" not in str(told.value)
    assert content(tmp_path / "copy") == before


def test_an_old_trial_trains_again_to_the_bit(storage: SweepStorage) -> None:
    record = storage.record()
    (trial, _) = record.complete
    result = reproduce(record, trial)
    then, now = trial.provenance, environment("cpu", 1, "", 0)
    alike = all(then[part] == now[part] for part in ("torch", "cpu_capability", "cpu"))
    assert result.verdict == "BITWISE" or (not alike and result.verdict == "WITHIN_NOISE")


def test_swapped_results_of_an_old_sweep_are_told_by_the_configuration_in_their_weights(
    storage: SweepStorage,
) -> None:
    first, second = (Path(storage.uri) / "trials" / t.key / "final.zip" for t in storage.record().complete)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert storage.record().complete == ()
    assert sum("final.zip was altered: it is trial" in f.what for f in storage_faults(storage)) == 2
