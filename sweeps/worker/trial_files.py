"""A trial's way to its files: patient with storage, and silent once another driver has the sweep."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sweeps.errors import Superseded
from sweeps.worker.options import TrialOptions
from tracking.errors import StorageError
from tracking.files.places import open_storage
from tracking.records.records import PlannedTrial, TrialState
from tracking.records.shapes import Attempt, Held, TrialProgress
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sweep import SweepStorage

# A full disk that is cleared, a file system that is mounted again, an S3 that asks to slow down.
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 1.0
T = TypeVar("T")


class Desk:
    """Reads and writes the files of one attempt of a trial.

    Every method waits up to a minute for storage that is away or full.

    Args:
        options: where the sweep is, whose trial it is, and what it holds.
        planned: the trial.
        sharing: how many trials share what a worker holds.

    Raises:
        StorageError: storage stayed away.
        Superseded: from methods that write, when a later driver has taken the sweep over.
    """

    def __init__(self, options: TrialOptions, planned: PlannedTrial, sharing: int = 1) -> None:
        self.storage = SweepStorage(open_storage(options.storage), options.sweep)
        self._options = options
        self._planned = planned
        self._cpus, self._gpus = options.cpus, options.gpus
        if sharing > 1:
            self._cpus, self._gpus = options.cpus / sharing, options.gpus / sharing
        self._trial = self.storage.trial(planned.key)

    def newest(self) -> Checkpoint | None:
        """The unit to go on from."""
        return patient(lambda: self._trial.newest())

    def begin(self, started: float, from_epoch: int, provenance: Mapping[str, Any]) -> None:
        """Enter a new attempt, with what the attempts before it held."""

        def write() -> None:
            before = self._trial.record(self._planned)
            self._trial.begin_attempt(
                Attempt(
                    started=started,
                    hostname=socket.gethostname(),
                    pid=os.getpid(),
                    session=self._options.session,
                    from_epoch=from_epoch,
                    cpus=self._cpus,
                    gpus=self._gpus,
                    earlier=Held(cpu_seconds=before.cpu_seconds, gpu_seconds=before.gpu_seconds),
                    provenance=dict(provenance),
                ),
            )

        self._write(write)

    def write(self, unit: Checkpoint) -> None:
        """Make a unit durable."""
        self._write(lambda: self._trial.write_checkpoint(unit, self._options.keep))

    def close(self, state: TrialState, error: str | None = None) -> None:
        """Say how the attempt ended."""
        self._write(lambda: self._trial.write_outcome(state, error))

    def write_progress(self, progress: TrialProgress) -> None:
        """Say how far the attempt is, at once or not at all."""
        self._trial.write_progress(progress)

    def stop_requested(self) -> bool:
        """Whether somebody asked the sweep to stop."""
        return patient(self.storage.stop_requested) is not None

    def has_ended(self) -> bool:
        """Whether the trial is pruned or failed already."""
        outcome = patient(self._trial.outcome)
        return outcome is not None and TrialState(outcome.state).ended

    @property
    def superseded(self) -> bool:
        """Whether a later driver works on the sweep."""
        return self.storage.session_numbers()[-1:] > [self._options.session]

    def _write(self, write: Callable[[], None]) -> None:
        def unless_superseded() -> None:
            # At each try: after a wait for storage another driver may long be at work.
            if self.superseded:
                raise Superseded
            write()

        patient(unless_superseded)


def patient(action: Callable[[], T]) -> T:
    """What an action gives, tried again for a minute while storage is away or full.

    Raises:
        StorageError: it stayed so.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except StorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
