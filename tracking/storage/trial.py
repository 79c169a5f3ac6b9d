"""The files of one trial in storage: its attempts, its progress, its units and its outcome."""

import io
import time
import zipfile
from collections.abc import Iterable

from tracking.errors import AlteredError
from tracking.files.files import Stamp
from tracking.records.records import PlannedTrial, TrialRecord, TrialState
from tracking.records.seals import Origin
from tracking.records.shapes import Attempt, Outcome, TrialProgress
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sweep_files import SweepFiles

KEPT_CHECKPOINTS = 2
FINAL, OUTCOME, PROGRESS = "final.zip", "outcome.json", "progress.json"
_CHECKPOINT, _ATTEMPT = "checkpoint-", "attempt-"


class TrialStorage:
    """The files of one trial; ``SweepStorage.trial`` gives it.

    Args:
        sweep: the sweep's files.
        key: the trial's identity.
    """

    def __init__(self, sweep: SweepFiles, key: str) -> None:
        self._sweep = sweep
        self.key = key

    def path(self, name: str) -> str:
        """The path of one of its files, as the storage's files know it."""
        return self._sweep.path(self._name(name))

    def names(self) -> dict[str, Stamp]:
        """Its files by name."""
        return self._sweep.files.entries(self._sweep.path("trials", self.key))

    def record(
        self, planned: PlannedTrial, names: Iterable[str] | None = None, *, proved: bool = True
    ) -> TrialRecord:
        """What the trial left so far.

        Args:
            planned: the trial in the plan.
            names: of its files, when they are known already.
            proved: pass over a unit that is not as it was written; False takes it as it is, to see what was
                altered in it.
        """
        there = sorted(self.names() if names is None else names)
        unit = self.newest(payload=False, names=there, proved=proved)
        seals = {} if unit is None or unit.digest is None else {unit_name(unit): unit.digest}
        attempts = tuple(
            None if found is None else Attempt.from_dict(found)
            for name in there
            if name.startswith(_ATTEMPT)
            for found in [self._sealed(name, seals)]
        )
        values = self._sealed(OUTCOME, seals) if OUTCOME in there else None
        seen = None
        if unit is not None and unit.final is not None:
            state, error, ended = TrialState.COMPLETE, None, unit.time
        elif values is not None:
            outcome = Outcome.from_dict(values)
            state, error, ended = TrialState(outcome.state), outcome.error, outcome.time
        else:
            state, error, ended = TrialState.RUNNING if attempts else TrialState.WAITING, None, None
            progress = self.progress() if PROGRESS in there else None
            seen = max((one.time for one in (unit, progress) if one is not None), default=None)
        if unit is None:
            return TrialRecord(
                planned, state, error=error, attempts=attempts, ended=ended, seen=seen, seals=seals
            )
        return TrialRecord(
            planned, state, unit.history, unit.final, error, attempts, unit.timing, ended, seen, seals
        )

    # Units

    def newest(
        self, *, payload: bool = True, names: Iterable[str] | None = None, proved: bool = True
    ) -> Checkpoint | None:
        """Its newest intact unit: one that is torn, altered or another trial's is passed over.

        Args:
            payload: read state, weights, likelihoods and pictures too, not only the numbers.
            names: of its files, when they are known already.
            proved: False takes one that is whole, whatever it says.
        """
        there = self.names() if names is None else names
        checkpoints = sorted((n for n in there if n.startswith(_CHECKPOINT)), reverse=True)
        for name in [*([FINAL] if FINAL in there else []), *checkpoints]:
            try:
                return self.unit(name, payload=payload, proved=proved)
            except (FileNotFoundError, zipfile.BadZipFile):
                continue
        return None

    def unit(self, name: str, *, payload: bool = True, proved: bool = True) -> Checkpoint:
        """One of its units; with ``proved`` False its seal is not asked for.

        Raises:
            FileNotFoundError: there is none of this name.
            zipfile.BadZipFile: it is torn.
            AlteredError: it is whole, and not as it was written, or another trial's or another sweep's.
        """
        files = self._sweep.files
        origin = self._origin(name) if proved else None
        with io.BytesIO(files.read(self.path(name))) if payload else files.open(self.path(name)) as file:
            unit = Checkpoint.read(file, payload=payload, origin=origin)
        if name == FINAL and unit.final is None:
            raise AlteredError("it has no final numbers")
        if name != FINAL and payload and unit.state is None:
            raise AlteredError("it has no state to go on from")
        return unit

    def write_checkpoint(self, unit: Checkpoint, keep: int = KEPT_CHECKPOINTS) -> None:
        """Make a unit durable, then delete the older ones that are no longer needed."""
        name = unit_name(unit)
        self._sweep.files.write(self.path(name), unit.to_bytes(self._origin(name)))
        older = sorted((n for n in self.names() if n.startswith(_CHECKPOINT)), reverse=True)
        for old in older if unit.final is not None else older[keep:]:
            self._sweep.files.delete(self.path(old))

    # Attempts, progress and outcome

    def attempt(self, number: int) -> Attempt | None:
        """An attempt by its number, from 1; None where there is none that is believed."""
        values = self._sweep.read_json(self._name(attempt_name(number)))
        return None if values is None else Attempt.from_dict(values)

    def begin_attempt(self, attempt: Attempt) -> int:
        """Note that the trial starts (again); what an earlier attempt ended with no longer counts.

        Returns:
            The number of the attempt, from 1.
        """
        number = sum(name.startswith(_ATTEMPT) for name in self.names()) + 1
        while not self._sweep.create_json(self._name(attempt_name(number)), attempt.to_dict()):
            number += 1
        self.clear_outcome()
        return number

    def write_attempt(self, number: int, attempt: Attempt) -> None:
        """Replace an attempt."""
        self._sweep.write_json(self._name(attempt_name(number)), attempt.to_dict())

    def progress(self) -> TrialProgress | None:
        """How far the trial said it was; None where there is nothing that is believed."""
        values = self._sweep.read_json(self._name(PROGRESS))
        return None if values is None else TrialProgress.from_dict(values)

    def write_progress(self, progress: TrialProgress) -> None:
        """Say how far the trial is; lost without harm, so not forced to disk."""
        self._sweep.write_json(self._name(PROGRESS), progress.to_dict(), durable=False)

    def outcome(self) -> Outcome | None:
        """How the trial ended without final numbers; None where there is none that is believed."""
        values = self._sweep.read_json(self._name(OUTCOME))
        return None if values is None else Outcome.from_dict(values)

    def write_outcome(self, state: TrialState, error: str | None = None, ended: float | None = None) -> None:
        """Note that the trial was pruned, stopped or failed.

        Args:
            state: PRUNED, STOPPED or FAILED.
            error: the cause, for FAILED.
            ended: when, seconds since 1970; now by default.
        """
        values = {"state": state.value, "error": error, "time": time.time() if ended is None else ended}
        self._sweep.write_json(self._name(OUTCOME), Outcome.from_dict(values).to_dict())

    def clear_outcome(self) -> None:
        """Let a failed trial be tried again."""
        self._sweep.files.delete(self.path(OUTCOME))

    def _name(self, name: str) -> str:
        """A file's path within the sweep's folder."""
        return f"trials/{self.key}/{name}"

    def _origin(self, name: str) -> Origin:
        return Origin(self._name(name), self._sweep.instance)

    def _sealed(self, name: str, seals: dict[str, str]) -> dict[str, object] | None:
        """What a JSON file says, its seal's digest added to ``seals``; None when it is not believed."""
        try:
            found, digest = self._sweep.unseal(self._name(name))
        except (FileNotFoundError, ValueError, AlteredError):
            return None
        if digest is not None:
            seals[name] = digest
        return found


def attempt_name(number: int) -> str:
    """The name of the file that holds an attempt."""
    return f"{_ATTEMPT}{number:04d}.json"


def unit_name(unit: Checkpoint) -> str:
    """The name of the file that holds a unit."""
    return FINAL if unit.final is not None else f"{_CHECKPOINT}{unit.steps:012d}.zip"
