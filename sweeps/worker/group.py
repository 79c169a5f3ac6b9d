"""The trials that one worker has at a time: one, or as many as train in one pack."""

from collections.abc import Mapping, Sequence
from typing import Any

from iwae.errors import PackError
from iwae.pack.pack import Pack
from iwae.trainer.machine import is_out_of_memory, limit_gpu_memory
from iwae.trainer.trainer import Trainer
from sweeps.worker.options import TrialOptions
from sweeps.worker.outcomes import NO_SCORE_YET, SCORE
from sweeps.worker.trial import IwaeTrial, free_memory
from sweeps.worker.watcher import Watcher
from tracking.records.records import PlannedTrial


class TrialGroup:
    """Trials that train one epoch each at every `step()`, until all are over.

    Args:
        options: what holds for every trial of the driver.
        planned: the first trials, see `begin_next`.
        slots: see `begin_next`.
    """

    def __init__(
        self, options: TrialOptions, planned: Sequence[PlannedTrial], slots: int | None = None
    ) -> None:
        self._options = options
        self._watcher = Watcher()
        self._trials: list[IwaeTrial] = []
        limit_gpu_memory(options.gpus)
        self.begin_next(planned, slots)

    def begin_next(self, planned: Sequence[PlannedTrial], slots: int | None = None) -> None:
        """Begin with the next trials in the same process; pruned ones are kept first, Tune does not clean up.

        Args:
            planned: one trial, or those of a pack.
            slots: of the pack; None trains the one trial alone.
        """
        self.cleanup()
        self._begun, self._slots = False, slots
        self._pack: Pack | None = None
        self._trials = [IwaeTrial(self._options, one, self._watcher, slots) for one in planned]

    def step(self) -> dict[str, Any]:
        """Train an epoch of every trial that is not over; whatever goes wrong in one ends no other.

        Returns:
            What each trial has to tell, among ``trials``; beside it what Tune asks for.
        """
        if self._slots is not None:
            self._train_packed(self._slots)
        told = [(trial, trial.step()) for trial in self._trials]
        self._trials = [trial for trial, result in told if not result["over"]]
        return together([result for _, result in told], done=not self._trials)

    def cleanup(self) -> None:
        """Keep what pruned trials have, when the scheduler ends them or the actor goes."""
        for trial in self._trials:
            trial.cleanup()
        self._trials = []

    def _train_packed(self, slots: int) -> None:
        """Train an epoch of the pack; where that cannot be its trials go on one after another."""
        if self._options.early_stopping or not self._begun:
            # Ended by the scheduler, or under a worker that died since.
            self._trials = [trial for trial in self._trials if not trial.has_ended()]
        self._begun = True
        try:
            self._train([trainer for trial in self._trials if (trainer := trial.ready()) is not None], slots)
            return
        except Exception as error:
            if not (isinstance(error, PackError) or is_out_of_memory(error)):
                raise
        # Not before the exception is forgotten: its frames hold what was in memory.
        self._slots = self._pack = None
        for trial in self._trials:
            trial.leave_pack()
        free_memory()

    def _train(self, ready: Sequence[Trainer], slots: int) -> None:
        if ready:
            self._pack = self._pack or Pack(ready[0], slots)
            self._pack.train_epoch(ready)


def together(told: Sequence[Mapping[str, Any]], *, done: bool) -> dict[str, Any]:
    """A report to Tune: what trials have to tell, and of one its own epoch and score.

    Tune sets ``done`` too when its scheduler ends a trial; ``over``, a trial's own, says that it did itself.
    """
    return {
        "epoch": max((result["epoch"] for result in told), default=0),
        SCORE: min((result[SCORE] for result in told), default=NO_SCORE_YET),
        "trials": list(told),
        "done": done,
    }
