"""The commands as a user types them, on real small sweeps: Ray, MLflow on SQLite, digits."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.waiting import wait_until
from support.workplace import Workplace

pytestmark = pytest.mark.service


def test_run_prints_one_json_object_with_the_best_run(finished: tuple[Workplace, dict[str, Any]]) -> None:
    place, result = finished
    assert set(result) == {"name", "parent_run_id", "tracking_uri", "storage", "seconds", "trials", "best"}
    assert result["trials"] == {"COMPLETE": 4}
    named = {"run_id", "trial_key", "config", "val_nll_final", "test_nll"}
    assert set(result["best"]) == {*named, "train_seconds", "train_seconds_exclusive"}
    assert result["tracking_uri"] == f"sqlite:///{place.folder}/mlflow.db"
    assert result["storage"] == str(place.folder / "sweeps-storage")


def test_every_trial_is_recorded_exactly_once(finished: tuple[Workplace, dict[str, Any]]) -> None:
    assert finished[0].json("verify", "small") == {"ok": True, "faults": []}


def test_the_best_run_reproduces_to_the_bit_from_another_folder(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path
) -> None:
    place, result = finished
    values = place.json(
        "reproduce",
        "--best",
        "small",
        "--tracking-uri",
        result["tracking_uri"],
        "--storage",
        result["storage"],
        cwd=tmp_path,
    )
    assert values["verdict"] == "BITWISE"
    assert values["original_run_id"] == result["best"]["run_id"] != values["run_id"]
    assert values["first_different_epoch"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_record_altered_in_epoch_3_diverges_at_3(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path
) -> None:
    place, result = finished
    unit = place.files(f"trials/{result['best']['trial_key']}/final.zip")[0]
    untouched = unit.read_bytes()
    try:
        with zipfile.ZipFile(unit) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        record = json.loads(members["record.json"])
        record["history"][2][2]["train/bound"] += 1e-9
        members["record.json"] = json.dumps(record).encode()
        with zipfile.ZipFile(unit, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        values = place.json("reproduce", result["best"]["run_id"], code=1)
    finally:
        unit.write_bytes(untouched)
    assert values["verdict"] == "DIVERGED"
    assert values["first_different_epoch"] == 3
    assert "the record is not as it was written" in values["explanation"]


def test_best_is_the_lowest_mean_over_seeds(finished: tuple[Workplace, dict[str, Any]]) -> None:
    place, result = finished
    by_k: dict[int, list[float]] = {}
    for trial in place.storage().record().trials:
        assert trial.final is not None
        by_k.setdefault(trial.config.objective.num_samples, []).append(trial.final["val/nll_final"])
    lowest = min(sum(values) / len(values) for values in by_k.values())
    assert place.json("best", "small")["val_nll_final"] == pytest.approx(lowest, rel=1e-12)
    assert result["best"]["val_nll_final"] == pytest.approx(lowest, rel=1e-12)


def test_resuming_a_finished_sweep_runs_nothing_again(finished: tuple[Workplace, dict[str, Any]]) -> None:
    place, _ = finished
    before = place.table()
    place.sweeps("resume", "small")
    assert place.table() == before
    assert all(len(trial.attempts) == 1 for trial in place.storage().record().trials)


def test_the_command_to_notify_hears_the_result_and_changes_nothing(
    finished: tuple[Workplace, dict[str, Any]],
) -> None:
    place, result = finished
    # It is part of the spec from now on; what it prints does not reach the result.
    ended = place.json("resume", "small", "--notify", "tee told.json; exit 3")
    told = json.loads((place.folder / "told.json").read_text())
    assert told == {**ended, "outcome": "finished", "error": None, "exit_code": 0}
    assert told["best"] == result["best"]


def test_a_used_name_is_refused_with_the_ways_to_go_on(finished: tuple[Workplace, dict[str, Any]]) -> None:
    place, _ = finished
    refused = place.sweeps("run", place.spec, code=2)
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    for word in ("sweeps resume small", "sweeps extend small", "--name"):
        assert word in refused.stderr


def test_list_and_status_show_the_sweep(finished: tuple[Workplace, dict[str, Any]]) -> None:
    place, result = finished
    assert "4 COMPLETE" in place.sweeps("list").stdout
    rows = place.json("list")["sweeps"]
    assert [row["parent_run_id"] for row in rows if row["name"] == "small"] == [result["parent_run_id"]]
    status = place.json("status", "small")
    assert status["trials"] == {"COMPLETE": 4}
    assert not status["live"]


def test_report_answers_from_storage(finished: tuple[Workplace, dict[str, Any]], tmp_path: Path) -> None:
    place, _ = finished
    place.sweeps("report", "small", "--output", tmp_path / "copy")
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert {"index.html", "tradeoff.csv", "tradeoff.json", "tradeoff.png"} <= names


@pytest.mark.slow
def test_reports_of_a_running_sweep_disturb_nothing(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    process = place.start("run", place.spec, "--json", "--set", "base.num_epochs=60")
    wait_until(lambda: bool(place.files("trials/*/checkpoint-*.zip")), process)
    reports = 0
    while process.poll() is None:
        place.sweeps("report", "small")
        reports += 1
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert reports > 0
    assert json.loads(out)["trials"] == {"COMPLETE": 4}
    assert place.json("verify", "small") == {"ok": True, "faults": []}
    report = json.loads((tmp_path / "sweeps-storage/small/report/tradeoff.json").read_text())
    assert report["trials"] == {"COMPLETE": 4}


def test_reading_commands_never_create_a_store(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    for words in (
        ["list"],
        ["status", "x"],
        ["verify", "x"],
        ["best", "x"],
        ["reproduce", "--best", "x"],
        ["ui"],
    ):
        place.start(*words).communicate(timeout=900)
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_an_interrupted_sweep_resumes_to_the_same_bits(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path
) -> None:
    """SIGTERM while trials run: exit 130, the way to go on, and afterwards the uninterrupted table."""
    place = Workplace(tmp_path)
    # The same trials, made long enough to be interrupted inside one by evaluating more.
    process = place.start("run", place.spec, "--json")
    wait_until(lambda: bool(place.files("trials/*/attempt-*.json")), process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert "sweeps resume small" in err
    assert json.loads(out)["trials"].get("COMPLETE", 0) < 4
    assert place.json("resume", "small")["trials"] == {"COMPLETE": 4}
    assert place.table() == finished[0].table()
    assert place.json("verify", "small")["ok"]


def test_a_killed_worker_is_tried_again_and_nothing_is_lost(
    finished: tuple[Workplace, dict[str, Any]], tmp_path: Path
) -> None:
    place = Workplace(tmp_path)
    process = place.start("run", place.spec, "--json")
    wait_until(lambda: bool(place.files("trials/*/checkpoint-*.zip")), process)
    attempt = json.loads(place.files("trials/*/attempt-0001.json")[0].read_text())
    os.kill(attempt["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert json.loads(out)["trials"] == {"COMPLETE": 4}
    assert place.table() == finished[0].table()
    assert place.json("verify", "small")["ok"]


def test_fork_starts_a_one_trial_sweep_and_delete_removes_it(
    finished: tuple[Workplace, dict[str, Any]],
) -> None:
    place, result = finished
    forked = place.json("fork", result["best"]["run_id"], "--set", "model.latent_dim=3", "--name", "forked")
    assert forked["trials"] == {"COMPLETE": 1}
    assert forked["best"]["config"]["model"]["latent_dim"] == 3
    place.sweeps("delete", "forked", "--yes")
    assert not place.files("*", "forked")
    assert "forked" not in place.sweeps("list").stdout


def test_a_worker_imports_neither_mlflow_nor_plotting() -> None:
    heavy = "('mlflow', 'matplotlib', 'plotly')"
    code = f"import sweeps.worker.trial, sys; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
