"""Schedules: fraction of the optimizer steps done -> annealing weight, number of a step -> learning rate."""

import math

from iwae.config.optimizer import OptimizerConfig
from iwae.config.schedules import CosineRate, CyclicalAnnealing, NoAnnealing, StagedRate
from iwae.config.train import TrainConfig

# The logistic curve runs over ±6 before it is rescaled to reach 0 and 1.
SIGMOID_HALF_WIDTH = 6.0


class AnnealingSchedule:
    """A weight that rises from a share of its end value to its end value.

    Attributes:
        target: what is weighted, ``beta`` or ``entropy_weight``.
        end: the end value: ``objective.beta`` for ``beta``, 1 for ``entropy_weight``.
    """

    def __init__(self, config: TrainConfig) -> None:
        annealing = config.annealing
        self._annealing = annealing
        self.target = "beta" if isinstance(annealing, NoAnnealing) else annealing.target
        self.end = config.objective.beta if self.target == "beta" else 1.0
        self._num_epochs = config.num_epochs

    @property
    def is_constant(self) -> bool:
        """Whether the weight is its end value throughout."""
        return isinstance(self._annealing, NoAnnealing)

    def __call__(self, fraction: float) -> float:
        """The weight after ``fraction`` in [0, 1] of all optimizer steps."""
        annealing = self._annealing
        if isinstance(annealing, NoAnnealing):
            return self.end
        if isinstance(annealing, CyclicalAnnealing):
            position = fraction * annealing.cycles
            in_cycle = position - min(math.floor(position), annealing.cycles - 1)
            risen = min(1.0, in_cycle / annealing.ramp_share)
        else:
            time = min(1.0, fraction * self._num_epochs / annealing.warmup_epochs)
            risen = RAMPS[annealing.name](time)
        return self.end * (annealing.start + (1 - annealing.start) * risen)


def linear(time: float) -> float:
    """Min(1, t/T), with t/T in [0, 1]."""
    return time


def cosine(time: float) -> float:
    """½ (1 − cos πt/T)."""
    return 0.5 * (1 - math.cos(math.pi * time))


def sigmoid(time: float) -> float:
    """The logistic curve from −6 to 6, rescaled to reach 0 and 1 exactly; tanh keeps it exact."""
    return 0.5 * (1 + math.tanh(SIGMOID_HALF_WIDTH * (time - 0.5)) / math.tanh(SIGMOID_HALF_WIDTH / 2))


RAMPS = {"linear": linear, "cosine": cosine, "sigmoid": sigmoid}


def learning_rate(config: OptimizerConfig, step: int, steps_per_epoch: int, num_steps: int) -> float:
    """The rate of optimizer step ``step``, from 0, of ``num_steps``."""
    schedule = config.schedule
    if isinstance(schedule, StagedRate):
        epoch = step // steps_per_epoch
        for length, factor in zip(schedule.epochs, schedule.factors, strict=True):
            if epoch < length:
                return config.lr * factor
            epoch -= length
        raise AssertionError("the stages last as long as training does")
    if isinstance(schedule, CosineRate):
        falling = 0.5 * (1 + math.cos(math.pi * step / max(1, num_steps - 1)))
        return config.lr * (schedule.final_factor + (1 - schedule.final_factor) * falling)
    return config.lr
