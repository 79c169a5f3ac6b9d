"""What can be wrong with a sweep, and what is wrong with its storage."""

import json
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from iwae.errors import ConfigError
from tracking.errors import AlteredError
from tracking.records.records import PlannedTrial, TrialState
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import SweepStorage

_ALTERED = " was altered: "


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
    """Everything that is wrong with a sweep's files themselves."""
    keys = yield from _plan_faults(storage)
    for number in storage.session_numbers():
        if (why := _why_not(storage, f"sessions/{number:04d}.json")) is not None:
            yield Fault(None, f"storage: sessions/{number:04d}.json {why}")
    for name in sorted(storage.files.entries(storage.path("codes"))):
        if (why := _why_not(storage, f"codes/{name}")) is not None:
            yield Fault(None, f"storage: codes/{name} {why}")
    for key, names in storage.trial_names().items():
        if key not in keys:
            yield Fault(key, "storage: this folder belongs to no trial of the plan")
            continue
        for name in names:
            if name.endswith(".zip"):
                for what in _unit_faults(storage, key, name):
                    yield Fault(key, f"storage: {name} {what}")
            elif name.endswith(".json"):
                why = _why_not(storage, f"trials/{key}/{name}")
                if why is not None and storage.files.stamp(storage.trial(key).path(name)) is not None:
                    yield Fault(key, f"storage: {name} {why}")
        complete, begun, kept = (
            any(name.startswith(start) for name in names)
            for start in ("final.zip", "attempt-", "checkpoint-")
        )
        outcome = storage.trial(key).outcome()
        if outcome is not None and outcome.state == TrialState.PRUNED and not kept:
            yield Fault(key, "storage: it was pruned and nothing is left of its epochs")
        if not begun and (complete or kept):
            yield Fault(key, "storage: it has results and no attempt that made them")


def altered_trials(storage: SweepStorage) -> set[str]:
    """Keys of the trials of which a file is whole and not as it was written."""
    return {
        fault.trial_key for fault in storage_faults(storage) if fault.trial_key and _ALTERED in fault.what
    }


def _plan_faults(storage: SweepStorage) -> Generator[Fault, None, set[str]]:
    """Faults of what was decided; returns the keys of the plan."""
    files = storage.files
    decided = storage.decided()
    try:
        whole = Decided.read(files.read(storage.path(ZIP)))
    except AlteredError as error:
        cure = (
            f"restore it from a copy, or delete it: --repair makes it again from {', '.join(Decided.NAMES)}"
        )
        yield Fault(None, f"storage: {ZIP} was altered: {error}: {cure}")
    except (FileNotFoundError, zipfile.BadZipFile) as error:
        yield Fault(None, f"storage: {ZIP} is torn or missing: {error}")
    else:
        for name, content in whole.members.items():
            stamp = files.stamp(storage.path(name))
            if stamp is None or files.read(storage.path(name)) != content:
                yield Fault(None, f"storage: {name} is not what was decided ({ZIP} has it)")
    keys: Counter[str] = Counter()
    for number, line in enumerate(decided.lines(), start=1):
        try:
            planned, written = PlannedTrial.from_json(line), json.loads(line)["key"]
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            yield Fault(None, f"storage: line {number} of plan.jsonl cannot be read: {error}")
            continue
        if planned.config.key != written:
            yield Fault(
                written, f"storage: line {number} of plan.jsonl has another key than its configuration"
            )
        if planned.index != number - 1:
            yield Fault(written, f"storage: line {number} of plan.jsonl has the index {planned.index}")
        keys[written] += 1
    for key, count in keys.items():
        if count > 1:
            yield Fault(key, f"storage: the plan has it {count} times")
    return set(keys)


def _why_not(storage: SweepStorage, name: str) -> str | None:
    """Why a JSON file is not believed; None when it is."""
    try:
        storage.unseal(name)
    except AlteredError as error:
        return f"{_ALTERED.lstrip()}{error}{_cure(storage, name)}"
    except (FileNotFoundError, ValueError):
        return "is not JSON or says something else"
    return None


def _cure(storage: SweepStorage, name: str) -> str:
    """How a person decides what an altered file of a trial is worth."""
    folder, _, file = name.rpartition("/")
    if not folder.startswith("trials/") or file == "progress.json":
        return ": --repair forgets what it says"
    # Without its attempts a trial starts anew; without its units or its outcome it goes on from the rest.
    gone = f"{storage.uri}/{folder if file.startswith('attempt-') else name}"
    return (
        f": it is not believed. Restore it from a copy, or delete {gone}: `sweeps resume {storage.name}` then"
        " trains the trial again"
    )


def _unit_faults(storage: SweepStorage, key: str, name: str) -> Iterator[str]:
    """What is wrong with a unit; every member is read, so that its CRC is checked."""
    try:
        unit = storage.trial(key).unit(name)
    except FileNotFoundError:
        if storage.files.stamp(storage.trial(key).path(name)) is not None:
            yield "is no regular file"
        return  # an older one, forgotten meanwhile
    except AlteredError as error:
        yield f"{_ALTERED.lstrip()}{error}{_cure(storage, f'trials/{key}/{name}')}"
        return
    except zipfile.BadZipFile as error:
        yield f"is torn: {error}"
        return
    epochs = [epoch.epoch for epoch in unit.history]
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"has the epochs {epochs}: must be 1 … n, each once"
    if name != "final.zip":
        return
    if unit.weights is None:
        yield "has no weights"
        return
    try:
        load_safetensors(unit.weights)
    except SafetensorError as error:
        yield f"has weights that cannot be read: {error}"
