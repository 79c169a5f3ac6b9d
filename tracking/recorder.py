"""Recorder: one thread beside a running sweep that brings MLflow to what storage holds."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from iwae.errors import SweepError
from tracking.errors import RefusedError
from tracking.figures import trial_figures
from tracking.records.records import TrialRecord
from tracking.records.source import Unit
from tracking.storage.incremental import SweepReader
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 3.0
# How long the end waits: a server that is restarted is back sooner, a sync may be drawing figures.
LAST_SYNC_SECONDS = 120.0
HURRIED_SECONDS = 15.0
DRAWING_SECONDS = 10.0  # of a trial's figures on a busy machine
_REFUSALS = 2


class Recorder:
    """Calls ``RunStore.sync`` every few seconds until the context ends, and once more then.

    A tracking store that is away is tried again and again, and costs the sweep nothing. At the end it is
    waited for, unless it answers and refuses. Nothing is raised.

    Args:
        storage: the sweep.
        store: where it is recorded.
        interval: seconds between two looks at storage.
        patience: seconds to wait, at the end, for a store that is away.

    Attributes:
        complete: whether MLflow held everything that storage held when the context ended.
        trouble: why it does not, in the store's words.
        lag: seconds from the newest checkpoint of each sync to its arrival, the largest so far.
        cpu_seconds: CPU time of the thread.
    """

    def __init__(
        self,
        storage: SweepStorage,
        store: RunStore,
        interval: float = INTERVAL_SECONDS,
        patience: float = LAST_SYNC_SECONDS,
    ) -> None:
        self.complete = False
        self.trouble: str | None = None
        self.lag = 0.0
        self.cpu_seconds = 0.0
        self._storage = storage
        self._store = store
        self._interval = interval
        self._patience = patience
        self._reader = SweepReader(storage)
        self._refusals = 0
        self._end = threading.Event()
        self._left = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        try:
            self._wait()
        except KeyboardInterrupt:
            # A process that ends while Matplotlib draws in a thread is aborted: no further picture is begun.
            self._left.set()
            # Not `join`: Python 3.11 takes a thread for ended whose join was interrupted.
            self._done.wait(DRAWING_SECONDS)
            raise

    def _wait(self) -> None:
        self._thread.join(self._patience + HURRIED_SECONDS)
        # A store that answers is waited for, however much there is left to tell it.
        while self._thread.is_alive() and self.trouble is None:
            _log.warning(
                "still recording %s (Ctrl-C leaves the rest to `sweeps verify %s --repair`)",
                self._storage.name,
                self._storage.name,
            )
            self._thread.join(self._patience + HURRIED_SECONDS)

    def hurry(self) -> None:
        """The user waits for the end: wait only briefly for a store that is away."""
        self._patience = min(self._patience, HURRIED_SECONDS)

    def _work(self) -> None:
        self._try()
        while not self._end.wait(self._interval):
            self._try()
        deadline = time.monotonic() + self._patience
        self.complete = self._try()
        if not self.complete and not self._is_refused() and not self._left.is_set():
            _log.warning(
                "waiting up to %.0f s for %s (Ctrl-C leaves it to `sweeps verify %s --repair`)",
                self._patience,
                self._store.tracking_uri,
                self._storage.name,
            )
        while not self.complete and not self._is_refused() and time.monotonic() < deadline:
            if self._left.wait(min(self._interval, 1.0)):
                break
            self.complete = self._try()
        self.cpu_seconds = time.thread_time()
        self._done.set()

    def _draw(self, trial: TrialRecord, unit: Unit) -> dict[str, bytes]:
        if self._left.is_set():
            raise SweepError("recording was ended at once")
        return trial_figures(trial, unit)

    def _try(self) -> bool:
        """One sync; whether it succeeded."""
        try:
            record = self._reader.record()
            if self._reader.changed:
                self._store.sync(record, self._draw, reread=self._reader.record)
                newest = self._reader.newest
                self._reader.done()
                self.lag = max(self.lag, time.time() - newest if newest else 0.0)
        except Exception as error:
            if self._left.is_set():
                return False
            expected = isinstance(error, SweepError)
            refused = isinstance(error, RefusedError)
            if self.trouble is None or refused != (self._refusals > 0):
                _log.warning("not recorded yet, trying again: %s", error, exc_info=not expected)
            self._refusals = self._refusals + 1 if refused else 0
            self.trouble = str(error) if expected else repr(error)
            return False
        if self.trouble is not None:
            _log.warning("%s is back: MLflow is up to date", self._store.tracking_uri)
        self.trouble, self._refusals = None, 0
        self.cpu_seconds = time.thread_time()
        return True

    def _is_refused(self) -> bool:
        """Whether the store refused twice in a row; the second time it was asked for everything anew."""
        return self._refusals >= _REFUSALS
