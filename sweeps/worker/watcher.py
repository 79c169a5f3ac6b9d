"""A thread beside a trial: says how far it is, and passes a request to stop on to the trainer."""

import contextlib
import threading
import time

from iwae.trainer.trainer import Trainer
from sweeps.worker.trial_files import Desk
from tracking.errors import StorageError
from tracking.records.records import EpochRecord
from tracking.records.shapes import TrialProgress


class Watcher:
    """Watches one trial at a time, as often as its storage can be asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[Desk, Trainer, list[EpochRecord]] | None = None
        threading.Thread(target=self._run, name="trial-watcher", daemon=True).start()

    def watch(self, desk: Desk, trainer: Trainer, history: list[EpochRecord]) -> None:
        """Watch this trial from now on; its history grows."""
        with self._lock:
            self._watched = desk, trainer, history

    def release(self) -> None:
        """Watch nothing."""
        with self._lock:
            self._watched = None

    def _run(self) -> None:
        pause = 1.0
        while True:
            time.sleep(pause)
            with self._lock:
                watched = self._watched
            if watched is not None:
                pause = watched[0].storage.files.poll_seconds
                # Progress is lost without harm; the next checkpoint will say what is wrong with storage.
                with contextlib.suppress(StorageError):
                    _look(*watched)


def _look(desk: Desk, trainer: Trainer, history: list[EpochRecord]) -> None:
    if desk.storage.stop_requested() is not None or desk.superseded:
        trainer.stop()
    newest = history[-1].metrics if history else {}
    shown = {name: newest[name] for name in ("val/nll", "time/train_seconds") if name in newest}
    desk.write_progress(TrialProgress.from_dict({**trainer.progress._asdict(), **shown, "time": time.time()}))
