"""A trial in a worker: the trainer's epochs, and what of them is made durable.

Storage, not Tune, holds a trial's checkpoints. Every start of a trial reads its newest intact unit there, so
a retry after a lost worker and a `resume` a month later are the same thing. An actor serves many trials.
"""

import functools
import gc
import io
import time
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from iwae.config.data import DataConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.errors import Stopped
from iwae.evaluation.pictures import pictures
from iwae.trainer.machine import is_out_of_memory, limit_gpu_memory
from iwae.trainer.trainer import Trainer
from sweeps.errors import Superseded
from sweeps.worker.options import TrialOptions
from sweeps.worker.outcomes import NO_NLL_YET, UNSTORED
from sweeps.worker.trial_files import Desk
from sweeps.worker.watcher import Watcher
from tracking.errors import OtherDataError, StorageError
from tracking.provenance.machine import environment
from tracking.records.contents import refuse_other
from tracking.records.records import EpochRecord, PlannedTrial, TrialState
from tracking.storage.checkpoint import Checkpoint


class IwaeTrial:
    """One trial: `step()` trains one epoch, and the last `step()` also makes the final evaluation.

    Args:
        options: what holds for every trial of the driver.
        planned: the first trial.
    """

    def __init__(self, options: TrialOptions, planned: PlannedTrial) -> None:
        self._watcher = Watcher()
        self._options = options
        limit_gpu_memory(options.gpus)
        self._begin(planned)

    def begin_next(self, planned: PlannedTrial) -> None:
        """Begin the next trial in the same process; a pruned one is kept first, Tune does not clean up."""
        self.cleanup()
        self._begin(planned)

    def _begin(self, planned: PlannedTrial) -> None:
        self._planned = planned
        self._desk = Desk(self._options, planned)
        self._chunk_size = self._planned.config.chunk_size
        self._images_at_once = self._planned.config.batch_size
        self._trainer: Trainer | None = None
        self._epochs: Iterator[EpochRecord] = iter(())
        self._history: list[EpochRecord] = []
        self._unsaved = False

    def step(self) -> dict[str, Any]:
        """Train one epoch; whatever goes wrong inside makes this trial FAILED and no other."""
        try:
            return self._step()
        except Superseded:
            self._end()
            return self._result(over=True, outcome=None)
        except (StorageError, OtherDataError) as error:
            self._end()
            return {**self._result(over=True, outcome=None), "outcome": UNSTORED, "error": str(error)}

    def _step(self) -> dict[str, Any]:
        while True:
            try:
                if self._trainer is None:
                    if self._desk.stop_requested():
                        return self._result(over=True, outcome=None)
                    if not self._start():
                        return self._result(over=True, outcome=TrialState.COMPLETE)
                return self._advance()
            except (Superseded, StorageError, OtherDataError):
                raise
            except Exception as error:
                if not (is_out_of_memory(error) and self._shrink()):
                    return self._fail(error)
            # Not before the exception is forgotten: its frames hold what was in memory.
            self._end()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

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
        config = self._planned.config.model_copy(update=runtime)
        dataset = cached_dataset(config.data)
        refuse_other(options.data, config.data, dataset)
        trainer = Trainer(config, dataset)
        self._images_at_once = trainer.images_at_once
        provenance = environment(
            device=str(trainer.device),
            threads=torch.get_num_threads(),
            dataset_hash=dataset.content_hash,
            seed=config.seed,
            chunk_size=self._chunk_size,
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
        images = pictures(trainer.model, trainer.dataset) if self._options.figures else None
        unit = Checkpoint(
            trainer.steps,
            tuple(self._history),
            self._timing(),
            final=final.metrics,
            weights=trainer.weights(),
            likelihoods=_npz(final.images),
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
        config = self._planned.config
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
        if self._trainer.timing_shared:
            return {
                "shared": True,
                "reason": "the training thread waited for a core a tenth of the time or more",
            }
        return {"shared": False, "reason": ""}

    def _end(self) -> None:
        self._watcher.release()
        self._trainer, self._epochs = None, iter(())

    def _result(self, *, over: bool, outcome: TrialState | None) -> dict[str, Any]:
        values = [e.metrics["val/nll"] for e in self._history if "val/nll" in e.metrics]
        return {
            "epoch": len(self._history),
            "val/nll": values[-1] if values else NO_NLL_YET,
            "outcome": None if outcome is None else outcome.value,
            # Tune sets `done` too when the scheduler ends a trial; `over` says that the trial itself did.
            "done": over,
            "over": over,
        }

    def cleanup(self) -> None:
        """Keep what a pruned trial has, when the scheduler ends it or the actor goes."""
        if self._trainer is not None and self._unsaved:
            self._save()
        self._end()


@functools.lru_cache(maxsize=2)
def cached_dataset(config: DataConfig) -> Dataset:
    """The data set, read once for all the trials of a process."""
    return load_dataset(config, moved=True)


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
