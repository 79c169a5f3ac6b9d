"""Storage is the truth: a folder a sweep, written so that a crash leaves the old or the new, never half.

    <storage>/<sweep>/
        sync.lock  sync.json                  who writes its runs in MLflow, and who did last
        sweep.zip                             spec, plan and code: what was decided, with its CRCs
        spec.yaml  plan.jsonl  code.json      the same, for people
        sessions/0001.json                    one file a driver that worked on the sweep
        stop.json                             somebody asked to stop; removed by `resume`
        trials/<key>/
            attempt-0001.json                 when, where and in which environment it started
            progress.json                     how far it is, a few seconds old
            checkpoint-000000001200.zip       by optimizer steps; the newest `keep_checkpoints` are kept
            final.zip                         the last unit of a complete trial
            outcome.json                      PRUNED, STOPPED or FAILED, and why

Where it lies: `tracking.folder`, `tracking.bucket`. What a checkpoint holds: `tracking.checkpoint`.
"""

import io
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar
from urllib.parse import unquote, urlparse

import numpy as np

from iwae.errors import RecordError
from tracking.bucket import Bucket
from tracking.checkpoint import Checkpoint
from tracking.decided import ZIP, Decided
from tracking.files import Files, Stamp, read_json, to_json
from tracking.folder import Folder
from tracking.names import check_name, is_name
from tracking.records import PlannedTrial, SweepRecord, TrialRecord, TrialState

KEPT_CHECKPOINTS = 2
# What a trial's JSON files must hold; one that holds something else is as good as torn.
_REQUIRED: Mapping[str, Mapping[str, type | UnionType]] = {
    "attempt": {"started": int | float},
    "progress": {"time": int | float},
    "outcome": {"state": str, "error": str | None, "time": int | float},
}
_OUTCOMES = (TrialState.PRUNED, TrialState.STOPPED, TrialState.FAILED)
T = TypeVar("T")
S = TypeVar("S")


def open_storage(uri: str) -> Files:
    """The files that a storage URI names: a folder (also as ``file://``) or ``s3://bucket/prefix``.

    Raises:
        RecordError: the URI has another scheme.
    """
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Folder(Path(unquote(parsed.path)).absolute())
    if parsed.scheme == "s3":
        return Bucket(uri)
    if "://" in uri:
        raise RecordError(f"storage: {uri!r} is not allowed: must be a folder, file:// or s3://bucket/prefix")
    return Folder(Path(uri).expanduser().absolute())


def sweeps_in(files: Files) -> list[str]:
    """Names of the sweeps in a storage, oldest first."""
    found = {name: SweepStorage(files, name).created for name in files.names("") if is_name(name)}
    there = [name for name, created in found.items() if created is not None]
    return sorted(there, key=lambda name: found[name] or 0.0)


class SweepStorage:
    """The files of one sweep.

    Args:
        files: the storage.
        name: the sweep's name.

    Raises:
        ConfigError: it is no name: the paths of all its files begin with it.
    """

    def __init__(self, files: Files, name: str) -> None:
        self.files = files
        self.name = check_name(name)

    @property
    def uri(self) -> str:
        """Where the sweep lies, for people."""
        return f"{self.files.uri}/{self.name}"

    # The sweep: what is decided

    @property
    def created(self) -> float | None:
        """When the sweep was created, seconds since 1970; None when there is no such sweep."""
        stamps = (self.files.stamp(self.path(name)) for name in ("code.json", ZIP, "spec.yaml"))
        return next((stamp.changed for stamp in stamps if stamp is not None), None)

    @property
    def exists(self) -> bool:
        """Whether a sweep of this name lies here."""
        return any(self.files.stamp(self.path(name)) is not None for name in (ZIP, "spec.yaml"))

    def create(self, spec: Mapping[str, Any], plan: Iterable[PlannedTrial], code: Mapping[str, Any]) -> None:
        """Write what is decided before the first trial starts; of several who try at once one succeeds.

        Raises:
            RecordError: the name is taken.
        """
        decided = Decided.of(spec, plan, code)
        if self.exists or not self.files.create(self.path(ZIP), decided.to_bytes()):
            raise RecordError(f"the name {self.name} is taken in {self.files.uri}")
        self._write_plain(decided)

    def write_spec(self, spec: Mapping[str, Any]) -> None:
        """Replace the spec (`extend` adds seeds; `resume` may change budget, resources and tracking)."""
        self._decide(self.decided().with_spec(spec))

    def write_plan(self, plan: Iterable[PlannedTrial]) -> None:
        """Replace the whole plan."""
        self._decide(self.decided().with_plan(plan))

    def decided(self) -> Decided:
        """Spec, plan and code: from the unit with its CRCs, else from the plain files.

        Raises:
            RecordError: no such sweep, or neither can be read.
        """
        try:
            return Decided.read(self.files.read(self.path(ZIP)))
        except (FileNotFoundError, zipfile.BadZipFile):
            pass
        try:
            plain = {name: self.files.read(self.path(name)) for name in Decided.NAMES}
        except FileNotFoundError as error:
            if self.exists:
                raise RecordError(
                    f"{self.uri}: {ZIP} is torn and there is no {Path(str(error)).name}"
                ) from None
            known = ", ".join(sweeps_in(self.files)) or "none"
            raise RecordError(f"no sweep {self.name} in {self.files.uri} (there: {known})") from None
        return Decided(plain)

    def spec(self) -> dict[str, Any]:
        """The spec as plain data; raises RecordError when there is no such sweep."""
        return self.decided().spec()

    def plan(self) -> list[PlannedTrial]:
        """Every trial that was decided so far, in order."""
        return self.decided().plan()

    def record(self) -> SweepRecord:
        """Everything about the sweep, read afresh.

        Raises:
            RecordError: no such sweep.
        """
        decided = self.decided()
        names = self.trial_names()
        trials = self.each(lambda planned: self.trial(planned, names.get(planned.key, ())), decided.plan())
        return SweepRecord(
            self.name, self.files.uri, decided.spec(), decided.code(), tuple(self.sessions()), tuple(trials)
        )

    def _decide(self, decided: Decided) -> None:
        self.files.write(self.path(ZIP), decided.to_bytes())
        self._write_plain(decided)

    def _write_plain(self, decided: Decided) -> None:
        for name, content in decided.members.items():
            self.files.write(self.path(name), content)

    # Sessions of drivers, and the request to stop

    def session_numbers(self) -> list[int]:
        """Numbers of the drivers that worked on the sweep, from 1, oldest first."""
        names = self.files.entries(self.path("sessions"))
        return sorted(
            int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdigit()
        )

    def session(self, number: int) -> dict[str, Any] | None:
        """What a driver says of itself; None when its file is torn."""
        return read_json(self.files, self._session_path(number))

    def sessions(self) -> list[dict[str, Any]]:
        """What every driver that worked on the sweep says of itself, oldest first; torn files left out."""
        return [session for session in self.each(self.session, self.session_numbers()) if session]

    def create_session(self, number: int, session: Mapping[str, Any]) -> bool:
        """Enter a driver under a number; False when another one has it."""
        return self.files.create(self._session_path(number), to_json(session))

    def write_session(self, number: int, session: Mapping[str, Any]) -> None:
        """Replace what the driver with this number says of itself."""
        self.files.write(self._session_path(number), to_json(session))

    def _session_path(self, number: int) -> str:
        return self.path(f"sessions/{number:04d}.json")

    def request_stop(self, reason: str) -> None:
        """Ask every driver and trial of the sweep to stop; they look every ``files.poll_seconds``."""
        self.files.write(self.path("stop.json"), to_json({"reason": reason, "time": time.time()}))

    def stop_requested(self) -> str | None:
        """Why the sweep shall stop, or None."""
        request = read_json(self.files, self.path("stop.json"))
        if request is not None and "reason" in request:
            return str(request["reason"])
        return "a request that is torn" if self.files.stamp(self.path("stop.json")) is not None else None

    def clear_stop(self) -> None:
        """Forget the request to stop."""
        self.files.delete(self.path("stop.json"))

    # Trials

    def path(self, *parts: str) -> str:
        """A path within the sweep, as its files know it."""
        return "/".join((self.name, *parts))

    def trial_path(self, key: str, name: str) -> str:
        """The path of a trial's file."""
        return self.path("trials", key, name)

    def trial_names(self) -> dict[str, dict[str, Stamp]]:
        """The files of every trial by key and name; one look at storage."""
        found: dict[str, dict[str, Stamp]] = {}
        for path, stamp in self.files.entries(self.path("trials")).items():
            key, _, name = path.partition("/")
            found.setdefault(key, {})[name] = stamp
        return found

    def names_of(self, key: str) -> dict[str, Stamp]:
        """The files of one trial by name."""
        return self.files.entries(self.path("trials", key))

    def trial(self, planned: PlannedTrial, names: Iterable[str] | None = None) -> TrialRecord:
        """What a trial left so far; ``names`` of its files, when they are known already."""
        key = planned.key
        there = sorted(self.names_of(key) if names is None else names)

        def values(name: str) -> dict[str, Any] | None:
            return self.values(key, name) if name in there else None

        unit = self.newest(key, payload=False, names=there)
        attempts = tuple(values(name) or {} for name in there if name.startswith("attempt-"))
        outcome = values("outcome.json")
        seen = None
        if unit is not None and unit.final is not None:
            state, error, ended = TrialState.COMPLETE, None, unit.time
        elif outcome is not None:
            state, error, ended = TrialState(outcome["state"]), outcome["error"], outcome["time"]
        else:
            state, error, ended = TrialState.RUNNING if attempts else TrialState.WAITING, None, None
            progress = values("progress.json")
            seen = max((t for t in (unit and unit.time, progress and progress["time"]) if t), default=None)
        if unit is None:
            return TrialRecord(planned, state, error=error, attempts=attempts, ended=ended, seen=seen)
        return TrialRecord(
            planned, state, unit.history, unit.final, error, attempts, unit.timing, ended, seen
        )

    def values(self, key: str, name: str) -> dict[str, Any] | None:
        """What a trial's JSON file says; None when there is none, or it is torn or says something else."""
        kind = name.removesuffix(".json").partition("-")[0]
        values = read_json(self.files, self.trial_path(key, name), _REQUIRED.get(kind, {}))
        if kind == "outcome" and values is not None and values["state"] not in _OUTCOMES:
            return None
        return values

    def newest(
        self, key: str, *, payload: bool = True, names: Iterable[str] | None = None
    ) -> Checkpoint | None:
        """The newest intact unit of a trial: a torn file is passed over for the one before it."""
        there = self.names_of(key) if names is None else names
        checkpoints = sorted((n for n in there if n.startswith("checkpoint-")), reverse=True)
        for name in [*(["final.zip"] if "final.zip" in there else []), *checkpoints]:
            path = self.trial_path(key, name)
            try:
                with io.BytesIO(self.files.read(path)) if payload else self.files.open(path) as file:
                    return Checkpoint.read(file, payload=payload)
            except (FileNotFoundError, zipfile.BadZipFile):
                continue
        return None

    def write_checkpoint(self, key: str, unit: Checkpoint, keep: int = KEPT_CHECKPOINTS) -> None:
        """Make a unit durable, then forget the older ones that are no longer needed."""
        name = f"checkpoint-{unit.steps:012d}.zip" if unit.final is None else "final.zip"
        self.files.write(self.trial_path(key, name), unit.to_bytes())
        older = sorted((n for n in self.names_of(key) if n.startswith("checkpoint-")), reverse=True)
        for old in older if unit.final is not None else older[keep:]:
            self.files.delete(self.trial_path(key, old))

    def begin_attempt(self, key: str, attempt: Mapping[str, Any]) -> int:
        """Note that a trial starts (again); what an earlier attempt ended with no longer counts.

        Returns:
            The number of the attempt, from 1.
        """
        number = sum(name.startswith("attempt-") for name in self.names_of(key)) + 1
        while not self.files.create(self.trial_path(key, f"attempt-{number:04d}.json"), to_json(attempt)):
            number += 1
        self.clear_outcome(key)
        return number

    def write_outcome(
        self, key: str, state: TrialState, error: str | None = None, ended: float | None = None
    ) -> None:
        """Note that a trial was pruned, stopped or failed; ``ended`` when, else now (seconds since 1970)."""
        assert state in _OUTCOMES
        values = {"state": state.value, "error": error, "time": time.time() if ended is None else ended}
        self.files.write(self.trial_path(key, "outcome.json"), to_json(values))

    def clear_outcome(self, key: str) -> None:
        """Let a failed trial be tried again."""
        self.files.delete(self.trial_path(key, "outcome.json"))

    def write_progress(self, key: str, progress: Mapping[str, Any]) -> None:
        """Say how far a trial is; lost without harm, so not forced to disk."""
        self.files.write(self.trial_path(key, "progress.json"), to_json(progress), durable=False)

    def progress(self, key: str) -> dict[str, Any] | None:
        """How far a trial said it was: ``phase``, ``epoch``, ``num_epochs``, ``fraction``, ``time``."""
        return self.values(key, "progress.json")

    def each(self, read: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """Read many things, several at a time where that pays."""
        if self.files.parallel == 1 or len(items) < 2:
            return [read(item) for item in items]
        with ThreadPoolExecutor(self.files.parallel) as pool:
            return list(pool.map(read, items))


class StoredPictures(Mapping[str, Mapping[str, np.ndarray]]):
    """The image grids of a sweep's complete trials by key, each read when it is asked for."""

    def __init__(self, storage: SweepStorage, keys: Iterable[str]) -> None:
        self._storage = storage
        self._keys = dict.fromkeys(keys)

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
