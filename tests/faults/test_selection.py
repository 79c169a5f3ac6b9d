"""A few cheap faults of the benchmark, and proof that its judge finds what it must find."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracking.mlflow.client import Client

from .harness import attempt
from .kinds.faults import FAULTS
from .place.bench import Bench
from .place.case import Case
from .place.sweep import NAME, Sweep

pytestmark = [pytest.mark.service, pytest.mark.timeout(1500)]
ACTS = {fault.name: fault.act for fault in FAULTS}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("faults"), seed=0)
    yield bench
    bench.close()


@pytest.mark.parametrize("name", [pytest.param("driver", marks=pytest.mark.slow), "resumes"])
def test_a_kill_at_a_random_instant_loses_and_doubles_nothing(bench: Bench, name: str) -> None:
    verdict = attempt(bench, name, 0, ACTS[name])
    assert verdict.wrong == []
    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert verdict.seconds is not None


def test_the_judge_finds_an_altered_epoch_a_lost_trial_and_a_doubled_run(
    bench: Bench, tmp_path: Path
) -> None:
    """Planted by hand in the sweep that nobody disturbed, which is then as it was."""
    assert bench.reference.table
    sweep = Sweep(bench.folder / "reference")
    untouched = shutil.copytree(sweep.files, tmp_path / "untouched")
    client = Client(sweep.tracking_uri)
    altered, lost, doubled = sorted(path.name for path in sweep.files.glob("trials/*"))[:3]
    tags = {"sweeps.kind": "trial", "sweeps.name": NAME, "sweeps.trial_key": doubled}
    extra = ""

    def plant(case: Case) -> None:
        nonlocal extra
        case.take(sweep)
        _alter_epoch(sweep.files / "trials" / altered / "final.zip", 3)
        (sweep.files / "trials" / lost / "final.zip").unlink()
        experiment = client.runs({"sweeps.kind": "trial"})[0].experiment_id
        extra = client.mlflow.create_run(experiment, tags=tags).info.run_id

    try:
        verdict = attempt(bench, "planted", 0, plant)
    finally:
        client.mlflow.delete_run(extra)
        shutil.copytree(untouched, sweep.files, dirs_exist_ok=True)
    assert not verdict.survived
    assert (verdict.lost, verdict.doubled) == (2, 1)
    found = "\n".join(verdict.wrong)
    assert f"lost: {altered[:12]} has other metrics from epoch 3 on" in found
    assert f"lost: {lost[:12]} is RUNNING, not COMPLETE" in found
    assert f"doubled: {doubled[:12]} (2 runs)" in found
    assert f"verify: {altered[:12]}" in found


def _alter_epoch(unit: Path, epoch: int) -> None:
    with zipfile.ZipFile(unit) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(members["record.json"])
    record["history"][epoch - 1][2]["train/bound"] += 1e-9
    members["record.json"] = json.dumps(record).encode()
    with zipfile.ZipFile(unit, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
