"""What a trial costs, as far as it is known before it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from tracking.files.files import Files
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in

if TYPE_CHECKING:
    from sweeps.spec.spec import SweepSpec

# Pixels, training, validation and test images of the built-in sets, without reading them.
SIZES = {
    "digits": (64, 1437, 300, 360),
    "mnist": (784, 60000, 10000, 10000),
    "fashion-mnist": (784, 60000, 10000, 10000),
    "omniglot": (784, 19280, 3213, 13180),
    "npz": (784, 60000, 10000, 10000),
}


@dataclass(frozen=True)
class Cost:
    """Floating-point operations of the dense layers; npz sets are taken to be as large as MNIST."""

    training: float
    evaluation: float

    @property
    def total(self) -> float:
        """Training and evaluation."""
        return self.training + self.evaluation


def cost_of(config: TrainConfig) -> Cost:
    """The operations of one trial: two a multiply-add, backward twice the forward, one encoder pass."""
    pixels, train, validation, test = SIZES[config.data.name]
    validation = config.data.num_validation or validation
    train = min(config.data.num_train or train, train - validation)
    encode, decode = config.model.flops(pixels)
    settings = config.evaluation
    per_epoch = min(settings.num_images or validation, validation) * settings.num_samples
    final = (
        sum(min(settings.final_num_images or n, n) for n in (validation, test)) * settings.final_num_samples
    )
    evaluations = -(-config.num_epochs // settings.every)
    return Cost(
        training=3 * config.num_epochs * train * (encode + config.objective.num_samples * decode),
        evaluation=(evaluations * per_epoch + final) * decode,
    )


def seconds_per_flop(files: Files, spec: "SweepSpec") -> float | None:
    """Seconds for each operation, from complete trials of the same data set in storage; None if none."""
    seconds = work = 0.0
    for name in sweeps_in(files):
        try:
            record = SweepStorage(files, name).record()
        except SweepError:
            continue  # `sweeps list` says what is wrong with it
        for trial in record.complete:
            started = trial.attempts[-1]["started"] if trial.attempts else None
            if (
                trial.config.data.name == spec.base.data.name
                and started
                and trial.ended
                and len(trial.attempts) == 1
            ):
                seconds += trial.ended - started
                work += cost_of(trial.config).total
    return seconds / work if work else None
