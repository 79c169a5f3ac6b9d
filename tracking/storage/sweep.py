"""Storage is the truth: a folder a sweep, written so that a crash leaves the old or the new, never half.

    <storage>/<sweep>/
        sync.lock  sync.json                  who writes its runs in MLflow, and who did last
        sweep.zip                             spec, plan, code, data and the sweep's id: what was decided
        spec.yaml  plan.jsonl  code.json      the same, for people; data.json and instance.json beside them
        sessions/0001.json                    one file a driver that worked on the sweep
        codes/0002.json                       the code of a later driver, where it is another one
        stop.json                             somebody asked to stop; removed by `resume`
        trials/<key>/
            attempt-0001.json                 when, where and in which environment it started
            progress.json                     how far it is, a few seconds old
            checkpoint-000000001200.zip       by optimizer steps; the newest `keep_checkpoints` are kept
            final.zip                         the last unit of a complete trial
            outcome.json                      PRUNED, STOPPED or FAILED, and why

Where it is: `tracking.files`. What a checkpoint holds: `tracking.storage.checkpoint`.
How each file proves that it is whole and whose it is: `tracking.records.seals`.
"""

import io
import time
import zipfile
from collections.abc import Iterable
from typing import Any, TypeVar

from tracking.errors import AlteredError
from tracking.files.files import Stamp
from tracking.files.places import open_storage as open_storage
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState
from tracking.records.seals import Origin
from tracking.records.shapes import Attempt, Outcome, TrialProgress
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sweep_files import SweepFiles
from tracking.storage.sweep_files import sweeps_in as sweeps_in

KEPT_CHECKPOINTS = 2
_FINAL = "final.zip"
_OUTCOMES = (TrialState.PRUNED, TrialState.STOPPED, TrialState.FAILED)
T = TypeVar("T")
S = TypeVar("S")


class SweepStorage(SweepFiles):
    """The files of one sweep: what is decided, its drivers, and what each trial left."""

    def record(self) -> SweepRecord:
        """Everything about the sweep, read afresh.

        Raises:
            RecordError: no such sweep.
        """
        decided = self.decided()
        names = self.trial_names()
        trials = self.each(lambda planned: self.trial(planned, names.get(planned.key, ())), decided.plan())
        return SweepRecord(
            self.name,
            self.files.uri,
            decided.spec(),
            decided.code(),
            tuple(self.sessions()),
            tuple(trials),
            decided.data(),
            decided.head,
            decided.earlier,
        )

    # Trials

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

    def trial(
        self, planned: PlannedTrial, names: Iterable[str] | None = None, *, proved: bool = True
    ) -> TrialRecord:
        """What a trial left so far.

        Args:
            planned: the trial.
            names: of its files, when they are known already.
            proved: pass over a unit that is not as it was written; False takes it as it is, for those who
                ask what was altered in it.
        """
        key = planned.key
        there = sorted(self.names_of(key) if names is None else names)
        unit = self.newest(key, payload=False, names=there, proved=proved)
        seals = {} if unit is None or unit.digest is None else {unit_name(unit): unit.digest}

        def values(name: str) -> dict[str, Any] | None:
            if name not in there:
                return None
            try:
                found, digest = self.unseal(f"trials/{key}/{name}")
            except (FileNotFoundError, ValueError, AlteredError):
                return None
            if digest is not None:
                seals[name] = digest
            return found

        read = [values(name) for name in there if name.startswith("attempt-")]
        attempts = tuple(None if found is None else Attempt.from_dict(found) for found in read)
        outcome = None if (found := values("outcome.json")) is None else Outcome.from_dict(found)
        seen = None
        if unit is not None and unit.final is not None:
            state, error, ended = TrialState.COMPLETE, None, unit.time
        elif outcome is not None:
            state, error, ended = TrialState(outcome.state), outcome.error, outcome.time
        else:
            state, error, ended = TrialState.RUNNING if attempts else TrialState.WAITING, None, None
            progress = self.progress(key) if "progress.json" in there else None
            seen = max((one.time for one in (unit, progress) if one is not None), default=None)
        if unit is None:
            return TrialRecord(
                planned, state, error=error, attempts=attempts, ended=ended, seen=seen, seals=seals
            )
        return TrialRecord(
            planned, state, unit.history, unit.final, error, attempts, unit.timing, ended, seen, seals
        )

    def attempt(self, key: str, number: int) -> Attempt | None:
        """An attempt of a trial by its number, from 1; None where there is none that is to be believed."""
        values = self.read_json(f"trials/{key}/attempt-{number:04d}.json")
        return None if values is None else Attempt.from_dict(values)

    def newest(
        self, key: str, *, payload: bool = True, names: Iterable[str] | None = None, proved: bool = True
    ) -> Checkpoint | None:
        """The newest intact unit of a trial: one that is torn, altered or foreign is passed over.

        With ``proved`` False one that is whole is taken, whatever it says.
        """
        there = self.names_of(key) if names is None else names
        checkpoints = sorted((n for n in there if n.startswith("checkpoint-")), reverse=True)
        for name in [*([_FINAL] if _FINAL in there else []), *checkpoints]:
            try:
                return self.unit(key, name, payload=payload, proved=proved)
            except (FileNotFoundError, zipfile.BadZipFile):
                continue
        return None

    def unit(self, key: str, name: str, *, payload: bool = True, proved: bool = True) -> Checkpoint:
        """One unit of a trial; with ``proved`` False its seal is not asked for.

        Raises:
            FileNotFoundError: there is none of this name.
            zipfile.BadZipFile: it is torn.
            AlteredError: it is whole, and not as it was written, or another trial's or another sweep's.
        """
        path = self.trial_path(key, name)
        origin = Origin(f"trials/{key}/{name}", self.instance) if proved else None
        with io.BytesIO(self.files.read(path)) if payload else self.files.open(path) as file:
            unit = Checkpoint.read(file, payload=payload, origin=origin)
        if name == _FINAL and unit.final is None:
            raise AlteredError("it has no final numbers")
        if name != _FINAL and payload and unit.state is None:
            raise AlteredError("it has no state to go on from")
        return unit

    def write_checkpoint(self, key: str, unit: Checkpoint, keep: int = KEPT_CHECKPOINTS) -> None:
        """Make a unit durable, then forget the older ones that are no longer needed."""
        name = unit_name(unit)
        origin = Origin(f"trials/{key}/{name}", self.instance)
        self.files.write(self.trial_path(key, name), unit.to_bytes(origin))
        older = sorted((n for n in self.names_of(key) if n.startswith("checkpoint-")), reverse=True)
        for old in older if unit.final is not None else older[keep:]:
            self.files.delete(self.trial_path(key, old))

    def begin_attempt(self, key: str, attempt: Attempt) -> int:
        """Note that a trial starts (again); what an earlier attempt ended with no longer counts.

        Returns:
            The number of the attempt, from 1.
        """
        number = sum(name.startswith("attempt-") for name in self.names_of(key)) + 1
        while not self.create_json(f"trials/{key}/attempt-{number:04d}.json", attempt.to_dict()):
            number += 1
        self.clear_outcome(key)
        return number

    def write_outcome(
        self, key: str, state: TrialState, error: str | None = None, ended: float | None = None
    ) -> None:
        """Note that a trial was pruned, stopped or failed; ``ended`` when, else now (seconds since 1970)."""
        assert state in _OUTCOMES
        values = {"state": state.value, "error": error, "time": time.time() if ended is None else ended}
        self.write_json(f"trials/{key}/outcome.json", values)

    def clear_outcome(self, key: str) -> None:
        """Let a failed trial be tried again."""
        self.files.delete(self.trial_path(key, "outcome.json"))

    def write_progress(self, key: str, progress: TrialProgress) -> None:
        """Say how far a trial is; lost without harm, so not forced to disk."""
        self.write_json(f"trials/{key}/progress.json", progress.to_dict(), durable=False)

    def outcome(self, key: str) -> Outcome | None:
        """How a trial ended without final numbers; None where there is no outcome that is to be believed."""
        values = self.read_json(f"trials/{key}/outcome.json")
        return None if values is None else Outcome.from_dict(values)

    def progress(self, key: str) -> TrialProgress | None:
        """How far a trial said it was; None where it said nothing, or nothing that is to be believed."""
        values = self.read_json(f"trials/{key}/progress.json")
        return None if values is None else TrialProgress.from_dict(values)


def unit_name(unit: Checkpoint) -> str:
    """The name of the file that holds a unit."""
    return _FINAL if unit.final is not None else f"checkpoint-{unit.steps:012d}.zip"
