"""Recorder: one thread beside a running sweep that brings MLflow to what storage holds."""

import logging
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iwae.errors import SweepError
from tracking.files import read_json
from tracking.records import PlannedTrial, SweepRecord, TrialRecord
from tracking.storage import SweepStorage
from tracking.store import RunStore

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 3.0
# A sync under way when the sweep ends may be drawing figures; a server that is away is known sooner.
LAST_SYNC_SECONDS = 120.0
_WATCHED = ("final.zip", "outcome.json", "checkpoint-", "attempt-")

Stamp = tuple[tuple[str, int, int, int], ...]


class Recorder:
    """Calls ``RunStore.sync`` every few seconds until the context ends, and once more then.

    A tracking store that is away is tried again and again, and costs the sweep nothing. Nothing is raised.

    Args:
        storage: the sweep.
        store: where it is recorded.
        interval: seconds between two looks at storage.
        patience: seconds to wait, at the end, for the last sync.

    Attributes:
        complete: whether MLflow held everything that storage held when the context ended.
        lag: seconds from the newest checkpoint of each sync to its arrival, the largest so far.
        cpu_seconds: CPU time of the thread.
    """

    def __init__(
        self, storage: SweepStorage, store: RunStore,
        interval: float = INTERVAL_SECONDS, patience: float = LAST_SYNC_SECONDS,
    ) -> None:  # fmt: skip
        self.complete = False
        self.lag = 0.0
        self.cpu_seconds = 0.0
        self._storage = storage
        self._store = store
        self._interval = interval
        self._patience = patience
        self._reader = ChangedTrials(storage)
        self._away = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(self._patience)
        if not self.complete:
            name = self._storage.name
            _log.warning(
                "MLflow has not everything of %s: storage has; `sweeps verify %s --repair`", name, name
            )

    def _work(self) -> None:
        self._try()
        while not self._end.wait(self._interval):
            self._try()
        self.complete = self._try()
        self.cpu_seconds = time.thread_time()

    def _try(self) -> bool:
        """One sync; whether it succeeded."""
        try:
            record = self._reader.record()
            if self._reader.changed:
                self._store.sync(record)
                newest = self._reader.newest
                self._reader.done()
                self.lag = max(self.lag, time.time() - newest if newest else 0.0)
        except Exception as error:
            expected = isinstance(error, SweepError)
            if not self._away:
                _log.warning("not recorded yet, trying again: %s", error, exc_info=not expected)
            self._away = True
            return False
        if self._away:
            _log.warning("%s is back: MLflow is up to date", self._store.tracking_uri)
        self._away = False
        self.cpu_seconds = time.thread_time()
        return True


class ChangedTrials:
    """Reads a sweep again and again, and of its trials only those whose files changed.

    Attributes:
        changed: whether anything changed since the last ``done``.
        newest: when the newest change was written, seconds since 1970.
    """

    def __init__(self, storage: SweepStorage) -> None:
        self.changed = True
        self.newest = 0.0
        self._storage = storage
        self._texts: tuple[Stamp, dict[str, Any], dict[str, Any]] = ((), {}, {})
        self._plan: tuple[Stamp, list[PlannedTrial]] = ((), [])
        self._trials: dict[str, tuple[Stamp, TrialRecord]] = {}

    def record(self) -> SweepRecord:
        """The sweep as storage holds it now."""
        storage = self._storage
        trials = tuple(self._trial(planned) for planned in self._planned())
        spec, code = self._decided()
        return SweepRecord(storage.name, str(storage.root), spec, code, tuple(storage.sessions()), trials)

    def done(self) -> None:
        """Everything that was read has arrived."""
        self.changed = False
        self.newest = 0.0

    def _decided(self) -> tuple[dict[str, Any], dict[str, Any]]:
        stamp = _stamp(self._storage.folder, ("spec.yaml", "code.json"))
        if stamp != self._texts[0]:
            code = read_json(self._storage.folder / "code.json") or {}
            self._texts = (stamp, self._storage.spec(), code)
            self.changed = True
        return self._texts[1:]

    def _planned(self) -> list[PlannedTrial]:
        stamp = _stamp(self._storage.folder, ("plan.jsonl",))
        if stamp != self._plan[0]:
            self._plan = (stamp, self._storage.plan())
            self.changed = True
        return self._plan[1]

    def _trial(self, planned: PlannedTrial) -> TrialRecord:
        # The stamp first: what is written while the trial is read counts as changed next time.
        stamp = _stamp(self._storage.trial_folder(planned.key), _WATCHED)
        known = self._trials.get(planned.key)
        if known is not None and known[0] == stamp:
            return known[1]
        trial = self._storage.trial(planned)
        self._trials[planned.key] = (stamp, trial)
        if stamp:
            self.changed = True
            self.newest = max(self.newest, max(changed for _, _, changed, _ in stamp) / 1e9)
        return trial


def _stamp(folder: Path, names: tuple[str, ...]) -> Stamp:
    """Name, inode, time of change and size of the files in a folder whose names begin so."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.startswith(names)]
            return tuple(sorted((e.name, e.inode(), e.stat().st_mtime_ns, e.stat().st_size) for e in found))
    except FileNotFoundError:
        return ()
