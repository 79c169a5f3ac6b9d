"""Sweeps that earlier versions made open as they did.

`old-sweep` was made in /tmp/old-project at commit 2bdc63e, before files had seals and sweeps had ids: two
trials complete, two failed on a huge rate. `sealed-sweep` was made in /tmp/sealed-project at commit 7cb0df6:
two points of a random sampler, three trials complete, one stopped in the middle of its second epoch, the best
one reproduced; its report has no plotly.js.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iwae.model.weights import load
from sweeps.screen.here import nowhere
from sweeps.sweep import Sweep
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.provenance.machine import environment
from tracking.publish import make_report, publish
from tracking.records.records import TrialRecord
from tracking.reproduction import reproduce
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify
from tracking.verification.storage import storage_faults

FIXTURES = Path(__file__).parent / "fixtures"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE")}


@dataclass(frozen=True)
class Old:
    """A sweep of an earlier version.

    Attributes:
        name: the sweep's, and of its archive the first word.
        counts: trials by state.
        final: ``val/nll_final`` of the complete trials, as the version that made it printed them.
        best: the trial that `sweeps best` names.
        summary: how the report counts its trials.
    """

    name: str
    counts: Mapping[str, int]
    final: Mapping[str, float]
    best: str
    summary: str


OLD = Old(
    "old",
    {"COMPLETE": 2, "FAILED": 2},
    {"K=5 D=2 lr=0.001 s0": 45.368, "K=5 D=2 lr=0.001 s1": 45.534},
    "K=5 D=2 lr=0.001 s0",
    "4 trials: 2 COMPLETE and 2 FAILED",
)
SEALED = Old(
    "sealed",
    {"COMPLETE": 3, "STOPPED": 1},
    {
        "K=5 D=2 linear warmup_epochs=2 lr=0.0009334 s0": 28.955,
        "K=1 D=2 no-annealing lr=0.002117 s0": 28.129,
        "K=5 D=2 linear warmup_epochs=2 lr=0.0009334 s1": 28.714,
    },
    "K=1 D=2 no-annealing lr=0.002117 s0",
    "4 trials: 3 COMPLETE and 1 STOPPED",
)
# The stopped one, as an uninterrupted run of that commit printed it.
STOPPED, STOPPED_FINAL = "K=1 D=2 no-annealing lr=0.002117 s1", 27.822
# The trainer's steps round otherwise than those that trained the fixtures.
SAME = ("BITWISE", "WITHIN_NOISE")
only_old = pytest.mark.parametrize("old", [OLD], ids=["old"])
only_sealed = pytest.mark.parametrize("old", [SEALED], ids=["sealed"])


@pytest.fixture(params=[OLD, SEALED], ids=["old", "sealed"])
def old(request: pytest.FixtureRequest) -> Old:
    found: Old = request.param
    return found


@pytest.fixture
def project(old: Old, tmp_path: Path) -> Path:
    with tarfile.open(FIXTURES / f"{old.name}-sweep.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def storage(old: Old, project: Path) -> SweepStorage:
    return SweepStorage(Folder(project / "sweeps-storage"), old.name)


@pytest.fixture
def store(project: Path) -> RunStore:
    return RunStore(f"sqlite:///{project}/mlflow.db").open()


def sweeps(project: Path, *words: str) -> Any:
    """What a command prints with ``--json`` in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "sweeps", *words, "--json"],
        cwd=project,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def alike(trial: TrialRecord) -> bool:
    """Whether this machine's bits are those of the one that trained it."""
    then, now = trial.provenance, environment("cpu", 1, "", 0)
    return all(then[part] == now[part] for part in ("torch", "cpu_capability", "cpu"))


def content(folder: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_old_record_is_read_as_it_was(old: Old, storage: SweepStorage) -> None:
    record = storage.record()
    assert record.counts == old.counts
    found = {trial.plan.name: (trial.final or {})["val/nll_final"] for trial in record.complete}
    assert found == pytest.approx(old.final, abs=5e-4)
    choice = best(record)
    assert choice is not None
    assert choice.trial.plan.name == old.best


def test_an_old_sweep_is_listed(old: Old, project: Path) -> None:
    (row,) = sweeps(project, "list")["sweeps"]
    assert (row["name"], row["trials"]) == (old.name, old.counts)


def test_an_old_sweep_verifies_without_a_fault(storage: SweepStorage, store: RunStore) -> None:
    assert verify(storage, store) == []
    repair_sweep(storage, store)
    assert verify(storage, store) == []


def test_an_old_sweep_has_its_report(
    old: Old, storage: SweepStorage, store: RunStore, tmp_path: Path
) -> None:
    report = make_report(storage.record(), storage, tmp_path / "again")
    assert old.summary in report.summary_markdown
    publish(storage.record(), storage, store)
    assert verify(storage, store) == []


@only_old
def test_an_old_sweep_that_is_finished_has_nothing_to_resume(storage: SweepStorage, store: RunStore) -> None:
    before = content(Path(storage.uri) / "trials")
    result = Sweep(storage, lambda: store, nowhere).resume().result
    assert result.outcome == "finished"
    assert result.record.counts == {"COMPLETE": 2, "FAILED": 2}
    assert content(Path(storage.uri) / "trials") == before
    assert verify(storage, store) == []


@pytest.mark.service
@only_sealed
def test_an_old_trial_that_was_stopped_goes_on_in_the_middle_of_its_epoch(
    project: Path, storage: SweepStorage, store: RunStore
) -> None:
    before = storage.record()
    kept = {trial.key: content(Path(storage.uri) / "trials" / trial.key) for trial in before.complete}
    assert sweeps(project, "resume", "sealed")["trials"] == {"COMPLETE": 4}
    record = storage.record()
    for key, files in kept.items():
        assert content(Path(storage.uri) / "trials" / key) == files
    trial = record.trials[3]
    assert trial.plan.name == STOPPED
    assert trial.history[:1] == before.trials[3].history
    assert [attempt.from_epoch for attempt in trial.attempts if attempt] == [0, 1]
    tolerance = 5e-4 if alike(trial) else 0.1
    assert (trial.final or {})["val/nll_final"] == pytest.approx(STOPPED_FINAL, abs=tolerance)
    # An uninterrupted training of now is one that was begun then and ended now, but for rounding.
    assert not alike(trial) or reproduce(record, trial).verdict in SAME
    assert verify(storage, store) == []


def test_a_copy_of_storage_alone_is_told_before_anything_starts(
    old: Old, project: Path, store: RunStore, tmp_path: Path
) -> None:
    shutil.copytree(project / "sweeps-storage", tmp_path / "copy")
    copy = SweepStorage(Folder(tmp_path / "copy"), old.name)
    before = content(tmp_path / "copy")
    with pytest.raises(RecordError, match=f"--storage {project}/sweeps-storage goes on with it") as told:
        Sweep(copy, lambda: store, nowhere).resume()
    assert "delete" not in str(told.value)
    assert content(tmp_path / "copy") == before


def test_old_trials_train_again_to_the_same_numbers(storage: SweepStorage) -> None:
    record = storage.record()
    for trial in (trial for trial in record.trials if trial.history and trial.config.seed == 0):
        result = reproduce(record, trial)
        assert result.verdict in SAME
        assert not alike(trial) or result.history[0].metrics["train/bound"] == pytest.approx(
            trial.history[0].metrics["train/bound"], rel=1e-6
        )


@only_sealed
def test_a_stopped_old_trial_trains_again_to_its_last_epoch(storage: SweepStorage) -> None:
    record = storage.record()
    trial = record.trials[3]
    result = reproduce(record, trial)
    assert len(result.history) == 1
    assert result.verdict in SAME or not alike(trial)


@only_sealed
def test_an_old_reproduction_is_found_with_the_trial_that_it_repeats(
    storage: SweepStorage, store: RunStore
) -> None:
    record = storage.record()
    original = store.trial_run_id("sealed", record.trials[1].key)
    experiment = store.experiment_of("sealed").id
    (run,) = store.client.runs({"sweeps.kind": "reproduction"}, [experiment])
    assert run.tags["sweeps.original_run_id"] == original
    assert run.tags["sweeps.verdict"] == "BITWISE"
    assert store.find_trial(run.id) == ("sealed", record.trials[1].key, record.storage)


CALL = """
import sys
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
images = np.load("images.npy")
np.save("means.npy", model.predict(images, params={"output": "reconstruction"}))
np.save("nll.npy", model.predict(images, params={"num_samples": 5}))
"""


@pytest.mark.parametrize(
    "imported",
    [
        pytest.param("", id="alone"),
        pytest.param("import iwae, tracking\n", id="beside-the-project"),
    ],
)
def test_the_logged_model_of_an_old_sweep_is_loaded_and_called(
    old: Old, project: Path, storage: SweepStorage, store: RunStore, imported: str
) -> None:
    """By a process of its own, which takes the code that was logged with it, or today's if it has that."""
    trial = next(trial for trial in storage.record().trials if trial.plan.name == old.best)
    parent, unit = store.find_parent(old.name), storage.trial(trial.key).newest()
    assert parent is not None
    assert unit is not None
    images = (np.random.default_rng(0).random((3, 64)) < 0.3).astype(np.float32)
    np.save(project / "images.npy", images)
    words = [imported + CALL, store.tracking_uri, parent.tags["sweeps.best_model"]]
    done = subprocess.run(
        [sys.executable, "-c", *words], cwd=project, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    weights = project / "model.safetensors"
    weights.write_bytes(unit.weights or b"")
    means = load(weights).reconstruct(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(np.load(project / "means.npy"), means, rtol=1e-6)
    assert np.isfinite(np.load(project / "nll.npy")).all()


@only_old
def test_swapped_results_of_an_old_sweep_are_told_by_the_configuration_in_their_weights(
    storage: SweepStorage,
) -> None:
    first, second = (Path(storage.uri) / "trials" / t.key / "final.zip" for t in storage.record().complete)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert storage.record().complete == ()
    assert sum("final.zip was altered: it is trial" in f.what for f in storage_faults(storage)) == 2
