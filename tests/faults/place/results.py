"""What a sweep left in plain files, read without the packages under test."""

import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NOT_COMPARED = ("time/", "throughput/", "system/")


@dataclass(frozen=True)
class Row:
    """What must be the same however often a trial was interrupted.

    Attributes:
        state: COMPLETE, FAILED, ... or RUNNING when nothing says how it ended.
        epochs: number and metrics of each.
        final: the final numbers.
        weights: SHA-256 of the stored weights.
        error: first line of the cause of a failure.
    """

    state: str
    epochs: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = ()
    final: tuple[tuple[str, float], ...] = ()
    weights: str | None = None
    error: str | None = None


def planned_keys(folder: Path) -> list[str]:
    """The keys of the plan, in order."""
    return [json.loads(line)["key"] for line in (folder / "plan.jsonl").read_text().splitlines()]


def table(folder: Path) -> dict[str, Row]:
    """The results of a sweep's folder by trial key."""
    return {key: _row(folder / "trials" / key) for key in planned_keys(folder)}


def _row(folder: Path) -> Row:
    if (folder / "final.zip").exists():
        with zipfile.ZipFile(folder / "final.zip") as archive:
            record = json.loads(archive.read("record.json"))
            weights = hashlib.sha256(archive.read("weights.safetensors"))
        epochs = tuple((epoch, _compared(metrics)) for epoch, _, metrics in record["history"])
        return Row("COMPLETE", epochs, _compared(record["final"]), weights.hexdigest())
    if (folder / "outcome.json").exists():
        outcome = json.loads((folder / "outcome.json").read_text())
        return Row(outcome["state"], error=(outcome["error"] or "").partition("\n")[0])
    return Row("RUNNING" if folder.exists() else "WAITING")


def _compared(metrics: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((k, v) for k, v in metrics.items() if not k.startswith(_NOT_COMPARED)))


def differences(expected: dict[str, Row], found: dict[str, Row]) -> dict[str, str]:
    """By key, each trial of the reference that is lost or has other results, and how."""
    wrong = {}
    for key, row in expected.items():
        if key not in found:
            wrong[key] = "is not in the plan any more"
        elif found[key] != row:
            wrong[key] = _difference(row, found[key])
    return wrong


def _difference(expected: Row, found: Row) -> str:
    if expected.state != found.state:
        return f"is {found.state}, not {expected.state}" + (f": {found.error}" if found.error else "")
    epochs = [n for n, (a, b) in enumerate(zip(expected.epochs, found.epochs, strict=False), 1) if a != b]
    if epochs:
        return f"has other metrics from epoch {epochs[0]} on"
    if len(expected.epochs) != len(found.epochs):
        return f"has {len(found.epochs)} epochs, not {len(expected.epochs)}"
    return "has other final numbers" if expected.final != found.final else "has other weights"


def twice(folder: Path) -> set[str]:
    """Keys of trials that are planned twice, or hold an epoch twice."""
    planned = {key for key, count in Counter(planned_keys(folder)).items() if count > 1}
    repeated = {k for k, row in table(folder).items() if len({e for e, _ in row.epochs}) < len(row.epochs)}
    return planned | repeated


def attempts(folder: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """Key, number and content of every attempt that can be read."""
    found = []
    for path in sorted(folder.glob("trials/*/attempt-*.json")):
        try:
            found.append((path.parent.name, int(path.stem.partition("-")[2]), json.loads(path.read_text())))
        except (ValueError, FileNotFoundError):
            continue
    return [entry for entry in found if "started" in entry[2]]


def final_seconds(folder: Path) -> float:
    """The longest time from a trial's last epoch to its final numbers."""
    return max(float(r["time"] - r["history"][-1][1]) for r in _final_records(folder))


def steps(folder: Path) -> int:
    """Optimizer steps of a complete trial."""
    return max(int(record["steps"]) for record in _final_records(folder))


def _final_records(folder: Path) -> list[dict[str, Any]]:
    records = []
    for path in folder.glob("trials/*/final.zip"):
        with zipfile.ZipFile(path) as archive:
            records.append(json.loads(archive.read("record.json")))
    return records
