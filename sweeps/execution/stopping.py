"""What ends a sweep early: signals and the budget. Both ask through storage, as `sweeps stop` does."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from iwae.errors import ConfigError, SweepError
from sweeps.process import signals
from sweeps.spec.spec import SweepSpec
from tracking.errors import StorageError
from tracking.records.records import SweepRecord, TrialState
from tracking.storage.incremental import SweepReader
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage

BUDGET = "budget"
LOOK_SECONDS = 2.0
MOST_SECONDS = 3600.0  # a thread cannot wait for ever
_log = logging.getLogger(__name__)


def stop_on_signals(session: Session) -> AbstractContextManager[None]:
    """The first signal to end asks the trials to stop, through storage; the second ends at once."""

    def ask(name: str) -> None:
        try:
            session.request_stop(name)
        except StorageError as error:
            _log.info(f"cannot ask the trials to stop: {error} (once more to end at once)")
        else:
            _log.info("stopping: every trial writes a checkpoint first (once more to end at once)")

    return signals.asking(ask)


@contextlib.contextmanager
def how_to_go_on(storage: SweepStorage) -> Iterator[None]:
    """Whatever Ctrl-C ends at once, the start of Ray, the trials or the report: say what goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(StorageError):
            if storage.exists:
                _log.info(f"ended at once; go on with: sweeps resume {storage.name}")
        raise


@contextlib.contextmanager
def budgets(spec: SweepSpec, session: Session) -> Iterator[None]:
    """Asks the trials to stop when the wall clock of this session, or the sweep's hours, are used up."""
    ended = threading.Event()
    watch = _Budgets(spec, session, ended)
    thread = threading.Thread(target=watch.run, name="budgets", daemon=True)
    if watch.limited:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if watch.limited:
            thread.join()


def refuse_if_spent(spec: SweepSpec, record: SweepRecord) -> None:
    """Check that there is something left of the hours that a sweep may hold.

    Raises:
        ConfigError: there is not.
    """
    for name, used in _used(record).items():
        limit = getattr(spec.budget, name)
        if limit is not None and used >= limit:
            raise ConfigError(
                f"budget.{name}",
                f"{limit:g} is not allowed: must be more than the {used:.3g} that {record.name} has used",
            )


def _used(record: SweepRecord) -> dict[str, float]:
    return {"gpu_hours": record.gpu_hours, "cpu_hours": record.cpu_hours}


class _Budgets:
    def __init__(self, spec: SweepSpec, session: Session, ended: threading.Event) -> None:
        self._budget = spec.budget
        self._session = session
        self._storage = session.storage
        self._ended = ended
        self._deadline = time.monotonic() + (spec.budget.wall_clock or math.inf)
        self._reader = SweepReader(session.storage)
        self._counts_hours = spec.budget.gpu_hours is not None or spec.budget.cpu_hours is not None
        self.limited = self._counts_hours or spec.budget.wall_clock is not None

    def run(self) -> None:
        """Look until the time is up or the sweep has ended."""
        while True:
            pause = LOOK_SECONDS if self._counts_hours else math.inf
            if self._ended.wait(max(0.0, min(pause, self._deadline - time.monotonic(), MOST_SECONDS))):
                return
            # Storage that is away for a moment is looked at again.
            with contextlib.suppress(SweepError):
                if time.monotonic() >= self._deadline or (self._counts_hours and self._is_spent()):
                    self._session.request_stop(BUDGET)
                    return

    def _is_spent(self) -> bool:
        record = self._reader.record()
        # What runs grows although nothing is written but its progress.
        trials = tuple(
            self._storage.trial(t.plan.key).record(t.plan) if t.state is TrialState.RUNNING else t
            for t in record.trials
        )
        used = _used(replace(record, trials=trials))
        return any(used[name] >= (getattr(self._budget, name) or math.inf) for name in used)
