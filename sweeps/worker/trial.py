"""A trial in a worker: the trainer's epochs, and what of them is made durable.

Storage, not Tune, holds a trial's checkpoints. Every start of a trial reads its newest intact unit there, so
a retry after a lost worker and a `resume` a month later are the same thing. An actor serves many trials.
"""

import functools
import gc
import io
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from iwae.config.data import DataConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.errors import Stopped
from iwae.evaluation.pictures import pictures
from iwae.memory import images_of_a_pass
from iwae.trainer.machine import is_out_of_memory
from iwae.trainer.trainer import Trainer
from sweeps.errors import Superseded
from sweeps.worker.options import TrialOptions
from sweeps.worker.outcomes import NO_SCORE_YET, SCORE, UNSTORED
from sweeps.worker.trial_files import Desk
from sweeps.worker.watcher import Watcher
from tracking.errors import OtherDataError, StorageError
from tracking.provenance.machine import environment
from tracking.records.comparable.score import score_of
from tracking.records.contents import refuse_other
from tracking.records.records import EpochRecord, PlannedTrial, TrialState
from tracking.storage.checkpoint import Checkpoint


class IwaeTrial:
    """One trial: `step()` trains one epoch, and the last `step()` also makes the final evaluation.

    Args:
        options: what holds for every trial of the driver.
        planned: the trial.
        watcher: watches it while it trains; None makes one.
        slots: of the pack that it trains in; None trains it alone.
    """

    def __init__(
        self,
        options: TrialOptions,
        planned: PlannedTrial,
        watcher: Watcher | None = None,
        slots: int | None = None,
    ) -> None:
        self.planned = planned
        self._watcher = watcher or Watcher()
        self._options = options
        self._slots = slots
        self._desk = Desk(options, planned, slots or 1)
        self._chunk_size = planned.config.chunk_size
        self._images_at_once = planned.config.batch_size
        self._trainer: Trainer | None = None
        self._epochs: Iterator[EpochRecord] = iter(())
        self._history: list[EpochRecord] = []
        self._unsaved = False
        self._told: dict[str, Any] | None = None

    def ready(self) -> Trainer | None:
        """The trainer that has an epoch to train; None where `step` has none, or is to train it alone.

        What goes wrong is told by the next `step`.
        """
        self._told = self._guarded(self._begun)
        trainer = self._trainer
        if trainer is None or self._slots is None or self._chunk_size != self.planned.config.chunk_size:
            return None
        return trainer if trainer.epoch < trainer.config.num_epochs else None

    def step(self) -> dict[str, Any]:
        """Train one epoch; whatever goes wrong inside makes this trial FAILED and no other.

        Of an epoch that its pack has trained only the rest is done: it is evaluated and kept.
        """
        told, self._told = self._told, None
        return told or self._guarded(lambda: self._begun() or self._advance()) or {}

    def leave_pack(self) -> None:
        """Go on alone, from the newest unit in storage."""
        self._end()
        self._slots = None

    def has_ended(self) -> bool:
        """Whether it is pruned or failed already, as storage has it."""
        if not self._desk.has_ended():
            return False
        self._end()
        return True

    def _guarded(self, action: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        try:
            return self._again_with_less(action)
        except Superseded:
            self._end()
            return self._result(over=True, outcome=None)
        except (StorageError, OtherDataError) as error:
            self._end()
            return {**self._result(over=True, outcome=None), "outcome": UNSTORED, "error": str(error)}

    def _begun(self) -> dict[str, Any] | None:
        """Begin the trial if it is not yet; the result where there is nothing to train."""
        if self._trainer is None:
            if self._desk.stop_requested():
                return self._result(over=True, outcome=None)
            if not self._start():
                return self._result(over=True, outcome=TrialState.COMPLETE)
        return None

    def _again_with_less(self, action: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        """What an action gives; tried again with less in memory at once where it ran out of it."""
        while True:
            try:
                return action()
            except (Superseded, StorageError, OtherDataError):
                raise
            except Exception as error:
                if not (is_out_of_memory(error) and self._shrink()):
                    return self._fail(error)
            # Not before the exception is forgotten: its frames hold what was in memory.
            self._end()
            free_memory()

    def _start(self) -> bool:
        """Take up the trial where its newest unit left it; False when it is complete already.

        A worker that died between its last write and Tune's hearing of it leaves such a trial.
        """
        started = time.time()
        unit = self._desk.newest()
        self._history = list(unit.history) if unit is not None else []
        if unit is not None and unit.final is not None:
            return False
        options = self._options
        # Where it runs is no part of what was checked and planned.
        runtime = {"device": options.device, "threads": options.threads, "chunk_size": self._chunk_size}
        config = self.planned.config.model_copy(update=runtime)
        dataset = cached_dataset(config.data)
        refuse_other(options.data, config.data, dataset)
        trainer = Trainer(config, dataset)
        self._images_at_once = images_of_a_pass(config, dataset.layout, trainer.device.type)
        provenance = environment(
            device=str(trainer.device),
            threads=torch.get_num_threads(),
            dataset_hash=dataset.content_hash,
            seed=config.seed,
            chunk_size=self._chunk_size,
            slots=self._slots,
            code=options.code,
        )
        self._desk.begin(started, len(self._history), provenance)
        if unit is not None:
            assert unit.state is not None
            trainer.load_state_dict(torch.load(io.BytesIO(unit.state), weights_only=True))
        self._trainer = trainer
        self._epochs = trainer.epochs()
        self._saved_at = time.monotonic()
        self._watcher.watch(self._desk, trainer, self._history)
        return True

    def _advance(self) -> dict[str, Any]:
        trainer = self._trainer
        assert trainer is not None
        if len(self._history) < trainer.config.num_epochs:
            epoch = next(self._epochs, None)
            if epoch is None:
                return self._stopped()
            self._history.append(epoch)
            self._unsaved = True
        if len(self._history) == trainer.config.num_epochs:
            return self._complete()
        if time.monotonic() - self._saved_at >= self._options.checkpoint_every:
            self._save()
        return self._result(over=False, outcome=None)

    def _complete(self) -> dict[str, Any]:
        trainer = self._trainer
        assert trainer is not None
        # The final evaluation may take longer than the training did: what it needs is made durable first.
        if time.monotonic() - self._saved_at >= self._options.checkpoint_every:
            self._save()
        try:
            final = trainer.final_evaluation()
        except Stopped:
            return self._stopped()
        images = None
        if self._options.figures:
            images = pictures(trainer.model, trainer.dataset, trainer.items("test"))
        unit = Checkpoint(
            trainer.steps,
            tuple(self._history),
            self._timing(),
            final=final.metrics,
            weights=trainer.weights(),
            likelihoods=_npz(final.images) if final.images else None,
            pictures=None if images is None else _npz(images),
        )
        self._desk.write(unit)
        self._end()
        return self._result(over=True, outcome=TrialState.COMPLETE)

    def _stopped(self) -> dict[str, Any]:
        self._save()
        self._desk.close(TrialState.STOPPED)
        self._end()
        return self._result(over=True, outcome=TrialState.STOPPED)

    def _shrink(self) -> bool:
        """Half as many images in memory at once from now on, if that can be; the trial is begun again."""
        config = self.planned.config
        fewest = -(-config.batch_size // 2**self._options.shrink_retries)
        if config.objective.needs_whole_minibatch or self._images_at_once <= fewest:
            return False
        self._chunk_size = self._images_at_once = -(-self._images_at_once // 2)
        return True

    def _fail(self, error: Exception) -> dict[str, Any]:
        self._end()
        cause = f"{type(error).__name__}: {error}"
        if is_out_of_memory(error):
            cause = f"out of memory with {self._images_at_once} images at once: {cause}"
        self._desk.close(TrialState.FAILED, f"{cause}\n\n{traceback.format_exc()}")
        return self._result(over=True, outcome=TrialState.FAILED)

    def _save(self) -> None:
        assert self._trainer is not None
        buffer = io.BytesIO()
        torch.save(self._trainer.state_dict(), buffer)
        unit = Checkpoint(self._trainer.steps, tuple(self._history), self._timing(), state=buffer.getvalue())
        self._desk.write(unit)
        self._saved_at = time.monotonic()
        self._unsaved = False

    def _timing(self) -> dict[str, Any]:
        """Whether the seconds were measured beside other work, and how that is known."""
        assert self._trainer is not None
        if 0 < self._options.gpus < 1:
            return {"shared": True, "reason": "the trial had a share of a GPU"}
        if self._slots is not None:
            return {"shared": True, "reason": f"trained in a pack of {self._slots}"}
        if self._trainer.timing_shared:
            return {
                "shared": True,
                "reason": "the training thread waited for a core a tenth of the time or more",
            }
        return {"shared": False, "reason": ""}

    def _end(self) -> None:
        self._watcher.release(self._desk)
        self._trainer, self._epochs = None, iter(())

    def _result(self, *, over: bool, outcome: TrialState | None) -> dict[str, Any]:
        curve = score_of(self.planned.config).curve
        values = [e.metrics[curve] for e in self._history if curve in e.metrics]
        return {
            "key": self.planned.key,
            "epoch": len(self._history),
            SCORE: values[-1] if values else NO_SCORE_YET,
            "outcome": None if outcome is None else outcome.value,
            "over": over,
        }

    def cleanup(self) -> None:
        """Keep what a pruned trial has, when the scheduler ends it or the actor goes."""
        if self._trainer is not None and self._unsaved:
            self._save()
        self._end()


def free_memory() -> None:
    """Hand back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@functools.lru_cache(maxsize=2)
def cached_dataset(config: DataConfig) -> Dataset:
    """The data set, read once for all the trials of a process."""
    return load_dataset(config, moved=True)


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
