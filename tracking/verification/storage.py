"""What is wrong with the files of a sweep in storage."""

import json
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator

from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from iwae.errors import ConfigError
from tracking.errors import AlteredError
from tracking.records.records import PlannedTrial, TrialState
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import PROBE, SweepStorage
from tracking.verification.fault import Fault, FaultKind


def storage_faults(storage: SweepStorage) -> Iterator[Fault]:
    """Everything that is wrong with a sweep's files themselves."""
    keys = yield from _plan_faults(storage)
    for number in storage.session_numbers():
        yield from _json_faults(storage, None, f"sessions/{number:04d}.json")
    for folder in ("codes", "forecasts"):
        for name in sorted(storage.files.entries(storage.path(folder))):
            yield from _json_faults(storage, None, f"{folder}/{name}")
    if storage.files.stamp(storage.path(PROBE)) is not None:
        yield from _json_faults(storage, None, PROBE)
    for key, names in storage.trial_names().items():
        if key not in keys:
            yield Fault(key, "storage: this folder belongs to no trial of the plan", FaultKind.EXTRA)
            continue
        for name in names:
            if name.endswith(".zip"):
                for kind, what in _unit_faults(storage, key, name):
                    yield Fault(key, f"storage: {name} {what}", kind)
            elif name.endswith(".json"):
                yield from _json_faults(storage, key, f"trials/{key}/{name}")
        complete, begun, kept = (
            any(name.startswith(start) for name in names)
            for start in ("final.zip", "attempt-", "checkpoint-")
        )
        outcome = storage.trial(key).outcome()
        if outcome is not None and outcome.state == TrialState.PRUNED and not kept:
            yield Fault(key, "storage: it was pruned and nothing is left of its epochs", FaultKind.MISSING)
        if not begun and (complete or kept):
            yield Fault(key, "storage: it has results and no attempt that made them", FaultKind.MISSING)


def altered_trials(storage: SweepStorage) -> set[str]:
    """Keys of the trials of which a file is whole and not as it was written."""
    faults = storage_faults(storage)
    return {fault.trial_key for fault in faults if fault.trial_key and fault.kind is FaultKind.ALTERED}


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
        yield Fault(None, f"storage: {ZIP} was altered: {error}: {cure}", FaultKind.ALTERED)
    except (FileNotFoundError, zipfile.BadZipFile) as error:
        yield Fault(None, f"storage: {ZIP} is torn or missing: {error}", FaultKind.TORN)
    else:
        for name, content in whole.members.items():
            stamp = files.stamp(storage.path(name))
            if stamp is None or files.read(storage.path(name)) != content:
                yield Fault(
                    None, f"storage: {name} is not what was decided ({ZIP} has it)", FaultKind.DIFFERENT
                )
    keys: Counter[str] = Counter()
    for number, line in enumerate(decided.lines(), start=1):
        try:
            planned, written = PlannedTrial.from_json(line), json.loads(line)["key"]
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            what = f"storage: line {number} of plan.jsonl cannot be read: {error}"
            yield Fault(None, what, FaultKind.UNREADABLE_PLAN)
            continue
        if planned.config.key != written:
            what = f"storage: line {number} of plan.jsonl has another key than its configuration"
            yield Fault(written, what, FaultKind.DIFFERENT)
        if planned.index != number - 1:
            what = f"storage: line {number} of plan.jsonl has the index {planned.index}"
            yield Fault(written, what, FaultKind.DIFFERENT)
        keys[written] += 1
    for key, count in keys.items():
        if count > 1:
            yield Fault(key, f"storage: the plan has it {count} times", FaultKind.EXTRA)
    return set(keys)


def _json_faults(storage: SweepStorage, key: str | None, name: str) -> Iterator[Fault]:
    """Why a JSON file is not believed; nothing when it is."""
    shown = name if key is None else name.rpartition("/")[2]
    try:
        storage.unseal(name)
    except AlteredError as error:
        what = f"storage: {shown} was altered: {error}{_cure(storage, name)}"
        yield Fault(key, what, FaultKind.ALTERED)
    except (FileNotFoundError, ValueError):
        there = storage.files.stamp(storage.path(*name.split("/"))) is not None
        if key is None or there:  # a trial's file may have been removed meanwhile
            yield Fault(key, f"storage: {shown} is not JSON or says something else", FaultKind.TORN)


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


def _unit_faults(storage: SweepStorage, key: str, name: str) -> Iterator[tuple[FaultKind, str]]:
    """What is wrong with a unit; every member is read, so that its CRC is checked."""
    try:
        unit = storage.trial(key).unit(name)
    except FileNotFoundError:
        if storage.files.stamp(storage.trial(key).path(name)) is not None:
            yield FaultKind.TORN, "is no regular file"
        return  # an older one, forgotten meanwhile
    except AlteredError as error:
        yield FaultKind.ALTERED, f"was altered: {error}{_cure(storage, f'trials/{key}/{name}')}"
        return
    except zipfile.BadZipFile as error:
        yield FaultKind.TORN, f"is torn: {error}"
        return
    epochs = [epoch.epoch for epoch in unit.history]
    if epochs != list(range(1, len(epochs) + 1)):
        yield FaultKind.DIFFERENT, f"has the epochs {epochs}: must be 1 … n, each once"
    if name != "final.zip":
        return
    if unit.weights is None:
        yield FaultKind.MISSING, "has no weights"
        return
    try:
        load_safetensors(unit.weights)
    except SafetensorError as error:
        yield FaultKind.TORN, f"has weights that cannot be read: {error}"
