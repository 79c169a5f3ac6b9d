"""Reads a sweep again and again, and of it only what changed."""

from dataclasses import replace

from tracking.files.files import Stamp
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import SweepStorage

_DECIDED = (ZIP, *Decided.NAMES, *Decided.OPTIONAL)
_WATCHED = ("final.zip", "outcome.json", "checkpoint-", "attempt-")

Stamps = tuple[tuple[str, Stamp], ...]


class SweepReader:
    """The records of a sweep as storage holds it at each call; what did not change is not read again.

    A record's trial that did not change is the same object as in the record before.

    Args:
        storage: the sweep.

    Attributes:
        changed: whether anything changed since the last `done`.
        newest: when the newest change of a trial since then was written, seconds since 1970.
    """

    def __init__(self, storage: SweepStorage) -> None:
        self.changed = True
        self.newest = 0.0
        self._storage = storage
        self._decided: tuple[Stamps, SweepRecord | None] = ((), None)
        self._plan: tuple[bytes, list[PlannedTrial]] = (b"", [])
        self._trials: dict[str, tuple[Stamps, TrialRecord]] = {}

    def record(self) -> SweepRecord:
        """The sweep now.

        Raises:
            RecordError: no such sweep.
        """
        # The stamps first: what is written while a trial is read counts as changed next time.
        stamps = self._storage.trial_names()
        decided = self._read_decided()
        trials = self._storage.each(lambda trial: self._read(trial, stamps.get(trial.key, {})), self._plan[1])
        return replace(
            decided,
            sessions=tuple(self._storage.sessions()),
            trials=tuple(trials),
            probes=self._storage.probes(),
            forecasts=self._storage.forecasts(),
        )

    def done(self) -> None:
        """Everything that was read has arrived."""
        self.changed = False
        self.newest = 0.0

    def _read_decided(self) -> SweepRecord:
        storage = self._storage
        found = {name: storage.files.stamp(storage.path(name)) for name in _DECIDED}
        stamps = tuple((name, stamp) for name, stamp in found.items() if stamp is not None)
        known, record = self._decided
        if record is None or stamps != known:
            decided = storage.decided()
            lines = decided.members["plan.jsonl"]
            if lines != self._plan[0]:
                self._plan = (lines, decided.plan())
            record = storage.outline(decided)
            self._decided = (stamps, record)
            self.changed = True
        return record

    def _read(self, planned: PlannedTrial, names: dict[str, Stamp]) -> TrialRecord:
        stamps = tuple((name, stamp) for name, stamp in names.items() if name.startswith(_WATCHED))
        known = self._trials.get(planned.key)
        if known is not None and known[0] == stamps:
            return known[1]
        trial = self._storage.trial(planned.key).record(planned, names)
        self._trials[planned.key] = (stamps, trial)
        if stamps:
            self.changed = True
            self.newest = max(self.newest, max(stamp.changed for _, stamp in stamps))
        return trial
