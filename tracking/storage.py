"""Storage is the truth: a folder a sweep, written so that a crash leaves the old or the new, never half.

    <storage>/<sweep>/
        spec.yaml  plan.jsonl  code.json      written before the first trial starts
        sessions/0001.json                    one file a driver that worked on the sweep
        stop.json                             somebody asked to stop; removed by `resume`
        trials/<key>/
            attempt-0001.json                 when, where and in which environment it started
            progress.json                     how far it is, a few seconds old
            checkpoint-000000001200.zip       by optimizer steps; the newest two are kept
            final.zip                         the last unit of a complete trial
            outcome.json                      PRUNED, STOPPED or FAILED, and why

What a checkpoint holds: `tracking.checkpoint`.
"""

import io
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np

from iwae import yaml
from iwae.errors import RecordError
from tracking.checkpoint import Checkpoint
from tracking.files import read_json, write_atomically, write_json
from tracking.records import PlannedTrial, SweepRecord, TrialRecord, TrialState

KEPT_CHECKPOINTS = 2


def storage_root(uri: str) -> Path:
    """The absolute folder that a storage URI names.

    Raises:
        RecordError: the URI has a scheme that is not a folder's.
    """
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path)).absolute()
    if parsed.scheme and len(parsed.scheme) > 1:
        raise RecordError(f"storage: {uri!r} is not allowed: must be a folder or a file:// URI")
    return Path(uri).expanduser().absolute()


def sweeps_in(root: Path) -> list[str]:
    """Names of the sweeps in a storage folder, oldest first."""
    if not root.is_dir():
        return []
    specs = sorted(root.glob("*/spec.yaml"), key=lambda path: path.stat().st_mtime)
    return [path.parent.name for path in specs]


class SweepStorage:
    """The folder of one sweep.

    Args:
        root: the storage folder, absolute.
        name: the sweep's name.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.folder = root / name

    # The sweep

    @property
    def exists(self) -> bool:
        """Whether a sweep of this name lies here; its spec is the last file that `create` writes."""
        return (self.folder / "spec.yaml").is_file()

    def create(self, spec: Mapping[str, Any], plan: Iterable[PlannedTrial], code: Mapping[str, Any]) -> None:
        """Write what is decided before the first trial starts.

        Raises:
            RecordError: the name is taken.
        """
        if self.exists:
            raise RecordError(f"the name {self.name} is taken in {self.root}")
        self.write_plan(plan)
        write_json(self.folder / "code.json", code)
        self.write_spec(spec)

    def write_spec(self, spec: Mapping[str, Any]) -> None:
        """Replace the spec (`extend` adds seeds; `resume` may change budget, resources and tracking)."""
        write_atomically(self.folder / "spec.yaml", yaml.dump(dict(spec)).encode())

    def write_plan(self, plan: Iterable[PlannedTrial]) -> None:
        """Replace the whole plan."""
        lines = "".join(trial.to_json() + "\n" for trial in plan)
        write_atomically(self.folder / "plan.jsonl", lines.encode())

    def spec(self) -> dict[str, Any]:
        """The spec as plain data.

        Raises:
            RecordError: no such sweep.
        """
        try:
            spec: dict[str, Any] = yaml.load((self.folder / "spec.yaml").read_text())
        except FileNotFoundError:
            known = ", ".join(sweeps_in(self.root)) or "none"
            raise RecordError(f"no sweep {self.name} in {self.root} (there: {known})") from None
        return spec

    def plan(self) -> list[PlannedTrial]:
        """Every trial that was decided so far, in order."""
        lines = (self.folder / "plan.jsonl").read_text().splitlines()
        return [PlannedTrial.from_json(line) for line in lines]

    def record(self) -> SweepRecord:
        """Everything about the sweep, read afresh.

        Raises:
            RecordError: no such sweep.
        """
        spec = self.spec()
        trials = tuple(self.trial(planned) for planned in self.plan())
        code = read_json(self.folder / "code.json") or {}
        return SweepRecord(self.name, str(self.root), spec, code, tuple(self.sessions()), trials)

    # Sessions of drivers, and the request to stop

    def sessions(self) -> list[dict[str, Any]]:
        """The drivers that worked on the sweep, oldest first."""
        return [read_json(path) or {} for path in sorted((self.folder / "sessions").glob("*.json"))]

    def write_session(self, number: int, session: Mapping[str, Any]) -> None:
        """Write or replace what the driver with this number, from 1, says of itself."""
        write_json(self.folder / "sessions" / f"{number:04d}.json", session)

    def request_stop(self, reason: str) -> None:
        """Ask every driver and trial of the sweep to stop; they look about once a second."""
        write_json(self.folder / "stop.json", {"reason": reason, "time": time.time()})

    def stop_requested(self) -> str | None:
        """Why the sweep shall stop, or None."""
        request = read_json(self.folder / "stop.json")
        return None if request is None else str(request["reason"])

    def clear_stop(self) -> None:
        """Forget the request to stop."""
        (self.folder / "stop.json").unlink(missing_ok=True)

    # Trials

    def trial_folder(self, key: str) -> Path:
        """Where a trial's files lie."""
        return self.folder / "trials" / key

    def trial(self, planned: PlannedTrial) -> TrialRecord:
        """What a trial left so far."""
        folder = self.trial_folder(planned.key)
        unit = self.newest(planned.key, payload=False)
        attempts = tuple(read_json(path) or {} for path in sorted(folder.glob("attempt-*.json")))
        outcome = read_json(folder / "outcome.json")
        if unit is not None and unit.final is not None:
            state, error, ended = TrialState.COMPLETE, None, unit.time
        elif outcome is not None:
            state, error, ended = TrialState(outcome["state"]), outcome["error"], outcome["time"]
        else:
            state, error, ended = TrialState.RUNNING if attempts else TrialState.WAITING, None, None
        if unit is None:
            return TrialRecord(planned, state, error=error, attempts=attempts, ended=ended)
        return TrialRecord(planned, state, unit.history, unit.final, error, attempts, unit.timing, ended)

    def newest(self, key: str, *, payload: bool = True) -> Checkpoint | None:
        """The newest intact unit of a trial: a torn file is passed over for the one before it."""
        folder = self.trial_folder(key)
        for path in [folder / "final.zip", *sorted(folder.glob("checkpoint-*.zip"), reverse=True)]:
            try:
                return Checkpoint.read(path, payload=payload)
            except (FileNotFoundError, zipfile.BadZipFile):
                continue
        return None

    def write_checkpoint(self, key: str, unit: Checkpoint, keep: int = KEPT_CHECKPOINTS) -> None:
        """Make a unit durable, then forget the older ones that are no longer needed."""
        folder = self.trial_folder(key)
        name = f"checkpoint-{unit.steps:012d}.zip" if unit.final is None else "final.zip"
        write_atomically(folder / name, unit.to_bytes())
        older = sorted(folder.glob("checkpoint-*.zip"), reverse=True)
        for path in older if unit.final is not None else older[keep:]:
            path.unlink(missing_ok=True)

    def begin_attempt(self, key: str, attempt: Mapping[str, Any]) -> int:
        """Note that a trial starts (again); what an earlier attempt ended with no longer counts.

        Returns:
            The number of the attempt, from 1.
        """
        folder = self.trial_folder(key)
        number = len(list(folder.glob("attempt-*.json"))) + 1
        write_json(folder / f"attempt-{number:04d}.json", attempt)
        (folder / "outcome.json").unlink(missing_ok=True)
        return number

    def write_outcome(self, key: str, state: TrialState, error: str | None = None) -> None:
        """Note that a trial was pruned, stopped or failed."""
        assert state in (TrialState.PRUNED, TrialState.STOPPED, TrialState.FAILED)
        values = {"state": state.value, "error": error, "time": time.time()}
        write_json(self.trial_folder(key) / "outcome.json", values)

    def clear_outcome(self, key: str) -> None:
        """Let a failed trial be tried again."""
        (self.trial_folder(key) / "outcome.json").unlink(missing_ok=True)

    def write_progress(self, key: str, progress: Mapping[str, Any]) -> None:
        """Say how far a trial is; lost without harm, so not forced to disk."""
        write_json(self.trial_folder(key) / "progress.json", progress, durable=False)

    def progress(self, key: str) -> dict[str, Any] | None:
        """How far a trial said it was: ``phase``, ``epoch``, ``num_epochs``, ``fraction``, ``time``."""
        return read_json(self.trial_folder(key) / "progress.json")


class StoredPictures(Mapping[str, Mapping[str, np.ndarray]]):
    """The image grids of a sweep's complete trials by key, each read when it is asked for."""

    def __init__(self, storage: SweepStorage, keys: Iterable[str]) -> None:
        self._storage = storage
        self._keys = list(keys)

    def __getitem__(self, key: str) -> Mapping[str, np.ndarray]:
        if key not in self._keys:
            raise KeyError(key)
        unit = self._storage.newest(key)
        if unit is None or unit.pictures is None:
            return {}
        with np.load(io.BytesIO(unit.pictures), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
