"""A thread beside a trial: says how far it is, and passes a request to stop on to the trainer."""

import contextlib
import threading
import time

from iwae.trainer.trainer import Trainer
from sweeps.worker.trial_files import Desk
from tracking.errors import StorageError
from tracking.records.comparable.score import SCORES
from tracking.records.records import EpochRecord
from tracking.records.shapes import TrialProgress


class Watcher:
    """Watches the trials of a process, as often as their storage can be asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[Desk, tuple[Trainer, list[EpochRecord]]] = {}
        threading.Thread(target=self._run, name="trial-watcher", daemon=True).start()

    def watch(self, desk: Desk, trainer: Trainer, history: list[EpochRecord]) -> None:
        """Watch this trial from now on; its history grows."""
        with self._lock:
            self._watched[desk] = trainer, history

    def release(self, desk: Desk) -> None:
        """Watch this trial no more."""
        with self._lock:
            self._watched.pop(desk, None)

    def _run(self) -> None:
        pause = 1.0
        while True:
            time.sleep(pause)
            with self._lock:
                watched = list(self._watched.items())
            for desk, (trainer, history) in watched:
                pause = desk.storage.files.poll_seconds
                # Progress is lost without harm; the next checkpoint will say what is wrong with storage.
                with contextlib.suppress(StorageError):
                    _look(desk, trainer, history)


def _look(desk: Desk, trainer: Trainer, history: list[EpochRecord]) -> None:
    if desk.storage.stop_requested() is not None or desk.superseded:
        trainer.stop()
    newest = history[-1].metrics if history else {}
    curves = (score.curve for score in SCORES)
    shown = {name: newest[name] for name in (*curves, "time/train_seconds") if name in newest}
    desk.write_progress(TrialProgress.from_dict({**trainer.progress._asdict(), **shown, "time": time.time()}))
