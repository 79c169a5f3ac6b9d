"""What a trial costs, as far as it is known before it runs."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iwae.config.catalogue import CATALOGUE
from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from sweeps.pace.work import ROW_WORK, epoch_work, image_operations, split_sizes, step_work
from tracking.files.files import Files
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in

if TYPE_CHECKING:
    from sweeps.spec.spec import SweepSpec


@dataclass(frozen=True)
class Cost:
    """What a trial takes; npz sets are taken to be as large as MNIST.

    Attributes:
        training: floating-point operations of the dense layers in training.
        evaluation: those in evaluation.
        work: everything that takes seconds, as operations of the dense layers that take as long.
        final_work: the part of it that follows the last epoch: final evaluation and gradient SNR.
    """

    training: float
    evaluation: float
    work: float
    final_work: float

    @property
    def total(self) -> float:
        """Operations of training and evaluation."""
        return self.training + self.evaluation

    def done(self, share: float, *, ended: bool) -> float:
        """Work done with a share of the steps; after the last step the final evaluation is still to come."""
        return self.work if ended else share * (self.work - self.final_work)


@functools.lru_cache(maxsize=4096)  # the live table asks once a second
def cost_of(config: TrainConfig) -> Cost:
    """The cost of one trial."""
    facts, (train, validation) = CATALOGUE[config.data.name], split_sizes(config)
    _, decode = config.model.flops(facts.num_pixels)
    settings = config.evaluation
    curve_rows = (
        -(-config.num_epochs // settings.every)
        * min(settings.num_images or validation, validation)
        * settings.num_samples
    )
    final_rows = (
        sum(min(settings.final_num_images or n, n) for n in (validation, facts.num_test))
        * settings.final_num_samples
    )
    final_work = final_rows * (decode + ROW_WORK) + settings.snr_num_draws * step_work(config)
    return Cost(
        training=config.num_epochs * train * image_operations(config),
        evaluation=(curve_rows + final_rows) * decode,
        work=config.num_epochs * epoch_work(config) + curve_rows * (decode + ROW_WORK) + final_work,
        final_work=final_work,
    )


def seconds_per_work(files: Files, spec: "SweepSpec") -> float | None:
    """Seconds a trial takes for its work, from complete trials of the same data set; None without one."""
    seconds = work = 0.0
    for name in sweeps_in(files):
        try:
            record = SweepStorage(files, name).record()
        except SweepError:
            continue  # `sweeps list` says what is wrong with it
        for trial in record.complete:
            last = trial.attempts[-1] if trial.attempts else None
            started = None if last is None else last.started
            if (
                trial.config.data.name == spec.base.data.name
                and started
                and trial.ended
                and len(trial.attempts) == 1
            ):
                seconds += trial.ended - started
                work += cost_of(trial.config).work
    return seconds / work if work else None
