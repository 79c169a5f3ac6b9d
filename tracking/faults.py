"""What can be wrong with a sweep, and what is wrong with its storage."""

import json
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from iwae.errors import ConfigError
from tracking.checkpoint import Checkpoint
from tracking.files import read_json
from tracking.records import PlannedTrial, TrialState
from tracking.storage import SweepStorage


@dataclass(frozen=True)
class Fault:
    """Something that is not as it must be.

    Attributes:
        trial_key: the trial; None when it concerns the sweep.
        what: in a sentence.
    """

    trial_key: str | None
    what: str


def storage_faults(storage: SweepStorage) -> Iterator[Fault]:
    """Everything that is wrong with a sweep's folder itself."""
    keys = yield from _plan_faults(storage)
    trials = storage.folder / "trials"
    for folder in sorted(trials.iterdir()) if trials.is_dir() else []:
        if folder.name not in keys:
            yield Fault(folder.name, "storage: this folder belongs to no trial of the plan")
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix == ".zip":
                for what in _unit_faults(path):
                    yield Fault(folder.name, f"storage: {path.name} {what}")
            elif path.suffix == ".json" and not _is_json(path):
                yield Fault(folder.name, f"storage: {path.name} is not JSON")
        complete = (folder / "final.zip").exists()
        outcome = read_json(folder / "outcome.json") or {}
        if outcome.get("state") == TrialState.PRUNED and not any(folder.glob("checkpoint-*.zip")):
            yield Fault(folder.name, "storage: it was pruned and nothing is left of its epochs")
        begun = any(folder.glob("attempt-*.json"))
        if not begun and (complete or any(folder.glob("checkpoint-*.zip"))):
            yield Fault(folder.name, "storage: it has results and no attempt that made them")


def _plan_faults(storage: SweepStorage) -> Generator[Fault, None, set[str]]:
    """Faults of ``plan.jsonl``; returns the keys of the plan."""
    keys: Counter[str] = Counter()
    try:
        lines = (storage.folder / "plan.jsonl").read_text().splitlines()
    except FileNotFoundError:
        yield Fault(None, "storage: plan.jsonl is missing")
        lines = []
    for number, line in enumerate(lines, start=1):
        try:
            planned, written = PlannedTrial.from_json(line), json.loads(line)["key"]
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            yield Fault(None, f"storage: line {number} of plan.jsonl cannot be read: {error}")
            continue
        if planned.key != written:
            yield Fault(
                written, f"storage: line {number} of plan.jsonl has another key than its configuration"
            )
        if planned.index != number - 1:
            yield Fault(written, f"storage: line {number} of plan.jsonl has the index {planned.index}")
        keys[planned.key] += 1
    for key, count in keys.items():
        if count > 1:
            yield Fault(key, f"storage: the plan has it {count} times")
    return set(keys)


def _unit_faults(path: Path) -> Iterator[str]:
    """What is wrong with a unit; every member is read, so that its CRC is checked."""
    try:
        unit = Checkpoint.read(path)
        with zipfile.ZipFile(path) as archive:
            torn = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        yield f"is torn or altered: {error}"
        return
    if torn is not None:
        yield f"is torn or altered: {torn}"
    epochs = [epoch.epoch for epoch in unit.history]
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"has the epochs {epochs}: must be 1 … n, each once"
    if path.name != "final.zip":
        if unit.state is None:
            yield "has no state to go on from"
        return
    if unit.final is None:
        yield "has no final numbers"
    if unit.weights is None:
        yield "has no weights"
        return
    try:
        load_safetensors(unit.weights)
    except SafetensorError as error:
        yield f"has weights that cannot be read: {error}"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True
