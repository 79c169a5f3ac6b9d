"""What a trial takes: operations, known from its configuration, and seconds, once its shape was probed."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from iwae.config.train import TrainConfig
from iwae.errors import SweepError
from sweeps.pace.equal_seconds import interpolated
from sweeps.pace.sizes import sizes_of
from sweeps.pace.work import RATE, epoch_work, image_operations, row_work, step_work, steps_per_epoch
from tracking.files.files import Files
from tracking.records.exclusive import shape_of
from tracking.records.records import TrialRecord
from tracking.records.shapes import ShapeProbe
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in

if TYPE_CHECKING:
    from sweeps.spec.spec import SweepSpec

# What a trial takes beside training and evaluation, and an epoch of it: reports to Tune, progress, files.
# Fitted to sweeps: `python tests/benchmarks/service/forecast.py`.
TRIAL_SECONDS, EPOCH_SECONDS = 0.25, 0.006
# What a worker does once, in its first trial: libraries' first calls, the data set.
FIRST_SECONDS = 1.8


@dataclass(frozen=True)
class Cost:
    """Floating-point operations of a trial's dense layers.

    Attributes:
        training: those of training.
        evaluation: those of the curve and of the final evaluation.
    """

    training: float
    evaluation: float

    @property
    def total(self) -> float:
        """Operations of training and evaluation."""
        return self.training + self.evaluation


@functools.lru_cache(maxsize=4096)
def cost_of(config: TrainConfig) -> Cost:
    """The cost of one trial."""
    sizes = sizes_of(config.data)
    decode = config.flops(sizes.layout).decode
    return Cost(
        training=config.num_epochs * sizes.train * image_operations(config),
        evaluation=sum(_rows(config)) * decode,
    )


def _rows(config: TrainConfig) -> tuple[int, int]:
    """Images times samples of all evaluations of the curve, and of the final one."""
    sizes, settings = sizes_of(config.data), config.evaluation
    evaluations = -(-config.num_epochs // settings.every)
    curve = min(settings.num_images or sizes.validation, sizes.validation)
    final = sum(min(settings.final_num_images or n, n) for n in (sizes.validation, sizes.test))
    samples = config.model.samples
    return evaluations * curve * samples(settings.num_samples), final * samples(settings.final_num_samples)


@dataclass(frozen=True)
class TrialSeconds:
    """What a trial takes where it has its core, or GPU, to itself.

    Attributes:
        training: optimizer steps.
        curve: the evaluations after epochs.
        final: the final evaluation and the gradient draws.
        rest: reports, files, beginning and ending.
    """

    training: float
    curve: float
    final: float
    rest: float

    @property
    def evaluation(self) -> float:
        """All that is no training and belongs to the trainer."""
        return self.curve + self.final

    @property
    def total(self) -> float:
        """From the trial's start to its end."""
        return self.training + self.curve + self.final + self.rest

    def in_new_worker(self) -> "TrialSeconds":
        """Of the first trial that a worker has."""
        return replace(self, rest=self.rest + FIRST_SECONDS)

    def times(self, factor: float) -> "TrialSeconds":
        """So many times as long."""
        return TrialSeconds(
            self.training * factor, self.curve * factor, self.final * factor, self.rest * factor
        )

    def done(self, share: float, *, ended: bool) -> float:
        """Seconds' worth done with a share of the steps; after the last one the final part is left."""
        return self.total if ended else share * (self.total - self.final)


# What seconds rest on: a probe of the trial's shapes, trials in storage, or a core as this one was fitted on.
Basis = Literal["probe", "trials", "work"]


class Forecast:
    """Seconds of trials.

    Args:
        probed: configurations with what was measured of their shapes; without any, seconds are those of the
            operations at a usual rate. A shape that was not probed lies between those that were.
        scale: seconds of trials in storage by their forecast without a probe; None where there are none.

    Attributes:
        basis: what the seconds rest on.
    """

    def __init__(
        self, probed: Iterable[tuple[TrainConfig, ShapeProbe]] = (), scale: float | None = None
    ) -> None:
        measured = [(config, _measured(probe)) for config, probe in probed]
        self.basis: Basis = "probe" if measured else "work" if scale is None else "trials"
        self._scale = 1.0 if measured else scale or 1.0
        self._by_shape = {shape_of(config): seconds for config, seconds in measured}
        self._points = [
            [(_work(config)[i], taken) for config, seconds in measured if (taken := seconds[i])]
            for i in range(len(Rates._fields))
        ]
        self._known: dict[TrainConfig, TrialSeconds] = {}

    def of(self, config: TrainConfig) -> TrialSeconds:
        """Seconds of a trial."""
        if config not in self._known:  # the live table asks once a second
            self._known[config] = self._of(config)
        return self._known[config]

    def _of(self, config: TrainConfig) -> TrialSeconds:
        steps, (curve, final) = config.num_epochs * steps_per_epoch(config), _rows(config)
        rates, scale = self._rates(config), self._scale
        return TrialSeconds(
            training=scale * steps * rates.step,
            curve=scale * curve * rates.curve_row,
            final=scale * (final * rates.final_row + config.gradient_draws * rates.draw),
            rest=TRIAL_SECONDS + config.num_epochs * EPOCH_SECONDS,
        )

    def _rates(self, config: TrainConfig) -> "Rates":
        """What was measured of the shape; of others what lies between, by their work."""
        known = self._by_shape.get(shape_of(config), (None,) * len(Rates._fields))
        return Rates(
            *(
                measured or (interpolated(points, work) if points else work / RATE)
                for measured, points, work in zip(known, self._points, _work(config), strict=True)
            )
        )


class Rates(NamedTuple):
    """Seconds, or operations, of what a trial does again and again.

    Attributes:
        step: an optimizer step, on average over an epoch.
        curve_row: an image and sample of an evaluation of the curve.
        final_row: the same of the final evaluation.
        draw: a draw of the gradient.
    """

    step: float
    curve_row: float
    final_row: float
    draw: float


def _work(config: TrainConfig) -> Rates:
    row = row_work(config)
    return Rates(epoch_work(config) / steps_per_epoch(config), row, row, step_work(config))


def _measured(probe: ShapeProbe) -> tuple[float | None, ...]:
    return (probe.step_seconds, probe.curve_row_seconds, probe.final_row_seconds, probe.draw_seconds)


def seconds_scale(files: Files, spec: "SweepSpec") -> float | None:
    """Seconds of complete trials of the same data set in storage by their forecast; None without one."""
    plain, seconds, forecast = Forecast(), 0.0, 0.0
    for name in sweeps_in(files):
        try:
            record = SweepStorage(files, name).record()
        except SweepError:
            continue  # `sweeps list` says what is wrong with it
        for trial in record.complete:
            took = trial_seconds(trial)
            if trial.config.data.name == spec.base.data.name and took:
                seconds += took
                forecast += plain.of(trial.config).total
    return seconds / forecast if forecast else None


def trial_seconds(trial: TrialRecord) -> float | None:
    """Seconds from a trial's start to its end; None where it was interrupted or has not ended."""
    last = trial.attempts[-1] if len(trial.attempts) == 1 else None
    return trial.ended - last.started if last is not None and trial.ended else None
