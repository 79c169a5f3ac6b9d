"""The Tune Trainable around Trainer.

Storage, not Tune, holds a trial's checkpoints: whoever starts a trial finds its newest intact unit there, so
a retry after a lost worker and a `resume` a month later are the same thing. An actor serves many trials.
"""

import functools
import io
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import tune

from iwae.config import DataConfig, TrainConfig
from iwae.data import Dataset, load_dataset
from iwae.pictures import pictures
from iwae.trainer import EpochMetrics, Stopped, Trainer
from tracking.checkpoint import Checkpoint
from tracking.provenance import environment
from tracking.records import EpochRecord, PlannedTrial, TrialState
from tracking.storage import SweepStorage

PROGRESS_SECONDS = 1.0
# What a scheduler hears of a trial that has no validation NLL yet: finite, and worse than anything real.
NO_NLL_YET = 1e30


class IwaeTrial(tune.Trainable):
    """One trial: `step()` trains one epoch, and the last `step()` also makes the final evaluation.

    Config:
        planned: the line of the plan. storage, sweep: where it lies. device, threads: what the trial got.
        checkpoint_every: seconds between checkpoints. keep: how many of them. figures: store pictures too.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first trial of this actor."""
        self._watcher = _Watcher()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same process; a pruned one is kept first, Tune does not clean up."""
        self.cleanup()
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._options = config
        self._sweep = SweepStorage(Path(config["storage"]), config["sweep"])
        self._planned = PlannedTrial.from_json(config["planned"])
        self._trainer: Trainer | None = None
        self._history: list[EpochRecord] = []
        self._unsaved = False

    def step(self) -> dict[str, Any]:
        """Train one epoch; whatever goes wrong inside makes this trial FAILED and no other."""
        try:
            if self._trainer is None:
                if self._sweep.stop_requested() is not None:
                    return self._result(done=True, outcome=None)
                self._start()
            return self._advance()
        except Exception as error:
            return self._fail(error)

    def _start(self) -> None:
        key, options = self._planned.key, self._options
        runtime = {"device": options["device"], "threads": options["threads"]}
        config = TrainConfig.parse({**self._planned.config.to_dict(), **runtime})
        dataset = cached_dataset(config.data)
        trainer = Trainer(config, dataset)
        unit = self._sweep.newest(key)
        provenance = environment(
            device=str(trainer.device), threads=torch.get_num_threads(),
            dataset_hash=dataset.content_hash, seed=config.seed,
        )  # fmt: skip
        self._sweep.begin_attempt(key, {
            "started": time.time(), "hostname": socket.gethostname(), "pid": os.getpid(),
            "from_epoch": len(unit.history) if unit else 0, "provenance": provenance,
        })  # fmt: skip
        if unit is not None and unit.state is not None:
            trainer.load_state_dict(torch.load(io.BytesIO(unit.state), weights_only=True))
            self._history = list(unit.history)
        self._trainer = trainer
        self._epochs: Iterator[EpochMetrics] = trainer.epochs()
        self._saved_at = time.monotonic()
        self._watcher.watch(self._sweep, key, trainer, self._history)

    def _advance(self) -> dict[str, Any]:
        trainer = self._trainer
        assert trainer is not None
        if len(self._history) < trainer.config.num_epochs:
            epoch = next(self._epochs, None)
            if epoch is None:
                return self._stopped()
            self._history.append(EpochRecord(epoch.epoch, epoch.wall_time, epoch.metrics))
            self._unsaved = True
        if len(self._history) == trainer.config.num_epochs:
            return self._complete()
        if time.monotonic() - self._saved_at >= self._options["checkpoint_every"]:
            self._save()
        return self._result(done=False, outcome=None)

    def _complete(self) -> dict[str, Any]:
        trainer = self._trainer
        assert trainer is not None
        # The final evaluation may take longer than the training did: what it needs is made durable first.
        if time.monotonic() - self._saved_at >= self._options["checkpoint_every"]:
            self._save()
        try:
            final = trainer.finish()
        except Stopped:
            return self._stopped()
        images = pictures(trainer.model, trainer.dataset) if self._options["figures"] else None
        unit = Checkpoint(
            trainer.steps, tuple(self._history), self._timing(), final=final,
            weights=trainer.weights(),
            pictures=None if images is None else _npz(images),
        )  # fmt: skip
        self._sweep.write_checkpoint(self._planned.key, unit, self._options["keep"])
        self._end()
        return self._result(done=True, outcome=TrialState.COMPLETE)

    def _stopped(self) -> dict[str, Any]:
        self._save()
        self._sweep.write_outcome(self._planned.key, TrialState.STOPPED)
        self._end()
        return self._result(done=True, outcome=TrialState.STOPPED)

    def _fail(self, error: Exception) -> dict[str, Any]:
        self._end()
        cause = f"{type(error).__name__}: {error}"
        self._sweep.write_outcome(
            self._planned.key, TrialState.FAILED, f"{cause}\n\n{traceback.format_exc()}"
        )
        return self._result(done=True, outcome=TrialState.FAILED)

    def _save(self) -> None:
        assert self._trainer is not None
        buffer = io.BytesIO()
        torch.save(self._trainer.state_dict(), buffer)
        unit = Checkpoint(self._trainer.steps, tuple(self._history), self._timing(), state=buffer.getvalue())
        self._sweep.write_checkpoint(self._planned.key, unit, self._options["keep"])
        self._saved_at = time.monotonic()
        self._unsaved = False

    def _timing(self) -> dict[str, Any]:
        """Whether the seconds were measured beside other work, and how that is known."""
        assert self._trainer is not None
        if self._options["shared_device"]:
            return {"shared": True, "reason": "the trial had a share of a GPU"}
        if self._trainer.timing_shared:
            return {
                "shared": True,
                "reason": "the training thread waited for a core a tenth of the time or more",
            }
        return {"shared": False, "reason": ""}

    def _end(self) -> None:
        self._watcher.release()
        self._trainer = None

    def _result(self, *, done: bool, outcome: TrialState | None) -> dict[str, Any]:
        values = [e.metrics["val/nll"] for e in self._history if "val/nll" in e.metrics]
        return {
            "epoch": len(self._history),
            "val/nll": values[-1] if values else NO_NLL_YET,
            "outcome": None if outcome is None else outcome.value,
            "done": done,
        }

    def cleanup(self) -> None:
        """Keep what a pruned trial has, when the scheduler ends it or the actor goes."""
        if self._trainer is not None and self._unsaved:
            self._save()
        self._end()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: storage has it."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: `step` takes up the newest unit in storage."""


@functools.lru_cache(maxsize=2)
def cached_dataset(config: DataConfig) -> Dataset:
    """The data set, read once for all the trials of a process."""
    return load_dataset(config)


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


class _Watcher:
    """A thread beside the trial: says how far it is, and passes a request to stop on to the trainer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[SweepStorage, str, Trainer, list[EpochRecord]] | None = None
        threading.Thread(target=self._run, name="trial-watcher", daemon=True).start()

    def watch(self, storage: SweepStorage, key: str, trainer: Trainer, history: list[EpochRecord]) -> None:
        with self._lock:
            self._watched = storage, key, trainer, history

    def release(self) -> None:
        with self._lock:
            self._watched = None

    def _run(self) -> None:
        while True:
            time.sleep(PROGRESS_SECONDS)
            with self._lock:
                watched = self._watched
            if watched is None:
                continue
            storage, key, trainer, history = watched
            try:
                if storage.stop_requested() is not None:
                    trainer.stop()
                newest = history[-1].metrics if history else {}
                shown = {name: newest[name] for name in ("val/nll", "time/train_seconds") if name in newest}
                storage.write_progress(key, {**trainer.progress._asdict(), **shown, "time": time.time()})
            except OSError:
                continue  # progress is lost without harm; the next checkpoint will say what is wrong
