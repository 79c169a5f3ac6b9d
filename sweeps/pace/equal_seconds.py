"""Epochs for each configuration, so that all train for the same time and every schedule ends with it.

An epoch's seconds are measured before the first trial, and they stay in the spec: a plan that is drawn again,
or extended, has the same epochs.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from iwae.config.part import Part, PartError
from iwae.config.train import TrainConfig
from sweeps.pace.seconds import Seconds
from sweeps.pace.work import epoch_work
from tracking.records.exclusive import shape_of


class EpochSeconds(Part):
    """What an epoch of some configurations took.

    Attributes:
        shape: of the configurations: a hash of data, model, objective and batch size.
        work: what the forecast says of their epoch, in operations.
        seconds: measured.
    """

    shape: str
    work: float = Field(gt=0)
    seconds: float = Field(gt=0)


class EqualSeconds(Part):
    """Every configuration trains for the same time, with epochs and schedules to fit.

    Attributes:
        seconds: of each training; null takes what ``base.num_epochs`` epochs of the slowest configuration
            take.
        measured: seconds of an epoch, filled in before the first trial.
    """

    seconds: Seconds | None = None
    measured: Annotated[tuple[EpochSeconds, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _measured_for_a_time(self) -> Self:
        if self.measured and self.seconds is None:
            raise PartError("seconds", "null", "a number where epochs were measured")
        return self

    def with_measured(self, configs: Sequence[TrainConfig], seconds: Sequence[float]) -> "EqualSeconds":
        """The rule with what an epoch of each configuration took."""
        measured = tuple(
            EpochSeconds(shape=shape_of(config), work=epoch_work(config), seconds=time)
            for config, time in zip(configs, seconds, strict=True)
        )
        slowest = max(c.num_epochs * time for c, time in zip(configs, seconds, strict=True))
        return EqualSeconds(seconds=self.seconds or slowest, measured=measured)

    def fitted(self, config: TrainConfig) -> TrainConfig:
        """The configuration with the epochs that take the time, and schedules that end with them.

        Raises:
            ConfigError: it has more annealing cycles than epochs.
        """
        if self.seconds is None or not self.measured:
            return config
        return with_epochs(config, max(1, round(self.seconds / self.epoch_seconds(config))))

    def epoch_seconds(self, config: TrainConfig) -> float:
        """Seconds of an epoch: as measured, else between the nearest by their forecast work."""
        shape, work = shape_of(config), epoch_work(config)
        for one in self.measured:
            if one.shape == shape:
                return one.seconds
        return interpolated([(one.work, one.seconds) for one in self.measured], work)


def interpolated(points: Iterable[tuple[float, float]], work: float) -> float:
    """Seconds of some work between the nearest measured ones; beyond them in proportion.

    Args:
        points: work and its seconds; at least one.
        work: whose seconds are wanted.
    """
    known = sorted(points)
    for (low, first), (high, second) in pairwise(known):
        if low < work < high:
            return first + (second - first) * (work - low) / (high - low)
    nearest = known[0] if work <= known[0][0] else known[-1]
    return nearest[1] * work / nearest[0]


def with_epochs(config: TrainConfig, num_epochs: int) -> TrainConfig:
    """The configuration trained for another number of epochs, with the same shares of them in every phase.

    Warm-up, the stages of the learning rate and the distance between evaluations are scaled; cycles and
    cosines are shares of the training already.

    Raises:
        ConfigError: it has more annealing cycles than epochs.
    """
    if num_epochs == config.num_epochs:
        return config
    factor = num_epochs / config.num_epochs
    values = config.to_dict()
    values["num_epochs"] = num_epochs
    if "warmup_epochs" in (annealing := values["annealing"]):
        annealing["warmup_epochs"] = max(1, round(annealing["warmup_epochs"] * factor))
    if (schedule := values["optimizer"]["schedule"])["name"] == "stages":
        values["optimizer"]["schedule"] = _scaled_stages(schedule, factor, num_epochs)
    values["evaluation"]["every"] = max(1, round(values["evaluation"]["every"] * factor))
    return TrainConfig.parse(values)


def _scaled_stages(schedule: dict[str, Any], factor: float, num_epochs: int) -> dict[str, Any]:
    """The stages with their ends at the same shares of the training; one of less than half an epoch goes."""
    ends = [round(sum(schedule["epochs"][: i + 1]) * factor) for i in range(len(schedule["epochs"]))]
    ends[-1] = max(ends[-1], num_epochs)
    lengths = [end - start for start, end in pairwise([0, *ends])]
    kept = [(e, f) for e, f in zip(lengths, schedule["factors"], strict=True) if e > 0]
    return {**schedule, "epochs": [e for e, _ in kept], "factors": [f for _, f in kept]}
