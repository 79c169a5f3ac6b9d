"""Measures what a training step, an evaluation and a gradient draw take of each shape, alone in a process.

Shapes take turns, so that whatever else the machine does falls on all of them. Images are random: seconds
and memory depend on how many there are and of how many pixels, not on what they show.
"""

import gc
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset, Labels
from iwae.epoch import EpochRecord
from iwae.evaluation.measure import measure
from iwae.trainer.machine import memory_bytes, peak_memory_bytes, reset_peak_memory
from iwae.trainer.trainer import Trainer
from sweeps.pace.sizes import Sizes, sizes_of
from sweeps.pace.work import RATE, epoch_work, row_work, step_work, steps_per_epoch
from tracking.provenance.machine import environment
from tracking.records.exclusive import machine_kind, shape_of
from tracking.records.shapes import ShapeProbe

ROUNDS = 9
# Of these rounds some measure evaluation and gradient draws too, which need not be known as well as a step.
EVALUATED = 3
# Seconds of one thing in one round, about, and the steps that this may be.
QUANTUM, MOST_STEPS = 0.06, 12
# Importance samples of an image that a round of the final evaluation draws at most.
MOST_SAMPLES = 400
# Items that a model without gradients is fitted to at least.
FITTED_ITEMS = 1000
_NEVER = 10**6


def probe(
    configs: Sequence[TrainConfig], device: str, threads: int, most_seconds: float = math.inf
) -> list[ShapeProbe]:
    """What each configuration's shape takes; the median over rounds.

    On one CPU thread it is CPU time, which other work on the machine changes least; else wall-clock time.

    Args:
        configs: of different shapes.
        device: ``cpu`` or ``cuda``.
        threads: PyTorch's intra-op threads.
        most_seconds: no round begins after so many seconds, but the first three.
    """
    began = time.monotonic()
    for config in configs[:1]:
        _Shape(config, device, threads)  # what a process does only once is nobody's memory
    shapes = [_Shape(config, device, threads) for config in configs]
    for number in range(ROUNDS):
        if number >= EVALUATED and time.monotonic() - began > most_seconds:
            break
        for shape in shapes:
            shape.measure(evaluation=number < EVALUATED)
    return [shape.found() for shape in shapes]


class _Shape:
    """A trainer of one shape, and what was measured of it.

    Args:
        config: of the shape.
        device: where it trains.
        threads: PyTorch's intra-op threads.
    """

    def __init__(self, config: TrainConfig, device: str, threads: int) -> None:
        self._config, self._sizes = config, sizes_of(config.data)
        self._threads = threads
        self._step: list[float] = []
        self._curve: list[float] = []
        self._final: list[float] = []
        self._draw: list[float] = []
        gc.collect()
        kind = torch.device(device)
        reset_peak_memory(kind)
        before = memory_bytes(kind) or 0
        steps, seconds = steps_per_epoch(config), step_work(config) / RATE
        self._num_steps = min(steps, max(1, min(MOST_STEPS, math.ceil(QUANTUM / seconds))))
        if steps <= MOST_STEPS * 2 and steps * seconds < 4 * QUANTUM:
            self._num_steps = steps  # with its last, smaller minibatch
        if config.model.fitted:  # not to fewer items than its parameters need
            fewest = max(FITTED_ITEMS, 2 * config.model.latent_dim)
            self._num_steps = min(steps, max(self._num_steps, -(-fewest // config.batch_size)))
        images = self._num_steps * config.batch_size
        dataset = random_images(config, self._sizes, min(images, self._sizes.train))
        self._new_trainer = partial(Trainer, _endless(config, device, threads), dataset)
        self._trainer = self._new_trainer()
        self._epochs: Iterator[EpochRecord] = self._trainer.epochs()
        self._validation = self._trainer.items("validation")
        self.measure(evaluation=True)
        for list_ in (self._step, self._curve, self._final, self._draw):
            list_.clear()
        held = sum(len(part) for part in (dataset.train, dataset.validation, dataset.test))
        rest = self._sizes.num_bytes - held * self._sizes.item_bytes
        self._peak = peak_memory_bytes(kind) - before + max(0, rest)

    def measure(self, *, evaluation: bool) -> None:
        """One round."""
        epochs = 1
        if self._config.model.closed_form:
            # The first epoch is the whole fit, and stands for all of them.
            self._trainer, epochs = self._new_trainer(), self._config.num_epochs
            self._epochs = self._trainer.epochs()
        before = self._train_seconds()
        epoch = next(self._epochs)
        seconds = self._train_seconds() - before
        if not self._counts_cpu:
            seconds = epoch.metrics["time/epoch_seconds"]
        self._step.append(seconds / self._num_steps * self._last_minibatch / epochs)
        if evaluation:
            settings = self._config.evaluation
            self._curve.append(self._row_seconds(settings.num_samples, settings.num_images))
            samples = min(settings.final_num_samples, MOST_SAMPLES)
            self._final.append(self._row_seconds(samples, settings.final_num_images))
            if self._config.gradient_draws:
                draws = max(3, int(QUANTUM * RATE / step_work(self._config)))
                draws = min(draws, settings.snr_num_draws)
                self._draw.append(self._seconds(lambda: self._trainer.gradient_snr(draws)) / draws)

    def found(self) -> ShapeProbe:
        """The medians."""
        low, high = median_interval(self._step)
        return ShapeProbe(
            shape=shape_of(self._config),
            machine=machine_kind(environment(str(self._trainer.device), self._threads, "", 0, code="none")),
            steps_per_epoch=steps_per_epoch(self._config),
            step_seconds=median(self._step),
            low=low,
            high=high,
            rounds=len(self._step),
            curve_row_seconds=median(self._curve),
            final_row_seconds=median(self._final),
            draw_seconds=median(self._draw) if self._draw else None,
            peak_bytes=self._peak,
        )

    @property
    def _counts_cpu(self) -> bool:
        return self._trainer.device.type == "cpu" and self._threads == 1

    @property
    def _last_minibatch(self) -> float:
        """Seconds of a step of an epoch by those of a whole minibatch: the last one may be smaller."""
        if self._num_steps == steps_per_epoch(self._config):
            return 1.0
        return epoch_work(self._config) / (steps_per_epoch(self._config) * step_work(self._config))

    def _train_seconds(self) -> float:
        seconds: float = self._trainer.state_dict()["stopwatch"]["cpu_seconds"]
        return seconds

    def _row_seconds(self, num_samples: int, most_images: int | None) -> float:
        """Seconds for an image and sample, of about a quantum."""
        rows = QUANTUM * RATE / row_work(self._config)
        num_samples = self._config.model.samples(num_samples)
        images = self._validation[: max(2, min(int(rows / num_samples), most_images or _NEVER))]
        few = min(self._config.evaluation.few_num_samples, num_samples)
        seconds = self._seconds(
            lambda: measure(self._trainer.model, images, num_samples, few_num_samples=few, reconstruct=False)
        )
        return seconds / (len(images) * num_samples)

    def _seconds(self, work: Callable[[], object]) -> float:
        device = self._trainer.device
        clock = time.thread_time if self._counts_cpu else time.perf_counter
        began = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - began


def _endless(config: TrainConfig, device: str, threads: int) -> TrainConfig:
    """The configuration without schedules and without an evaluation, for epochs of a few steps."""
    values = config.to_dict()
    short: dict[str, Any] = {
        "device": device,
        "threads": threads,
        "num_epochs": _NEVER,
        "annealing": {"name": "none"},
        "optimizer": {**values["optimizer"], "schedule": {"name": "constant"}},
        "evaluation": {**values["evaluation"], "every": _NEVER},
    }
    return TrainConfig.parse({**values, **short})


def random_images(config: TrainConfig, sizes: Sizes, num_train: int) -> Dataset:
    """A data set of these sizes but for its training images, and of a quantum's evaluation."""
    source = np.random.default_rng(0)
    levels = 2 if config.model.likelihood == "bernoulli" else 256
    rows = math.ceil(QUANTUM * RATE / row_work(config))
    shown = max(2, min(sizes.validation, rows))

    def images(count: int) -> Tensor:
        if sizes.floats:
            return torch.from_numpy(source.standard_normal((count, sizes.num_pixels), np.float32))
        pixels = source.integers(0, levels, (count, sizes.num_pixels), np.uint8) * (255 // (levels - 1))
        return torch.from_numpy(pixels)

    numbers = {"train": num_train, "validation": shown, "test": 2}
    parts = {split: images(count) for split, count in numbers.items()}
    classes = sizes.layout.num_attributes
    labels = None
    if classes:
        drawn = {
            split: torch.from_numpy(source.integers(0, classes, count)) for split, count in numbers.items()
        }
        labels = Labels(**drawn, names=tuple(map(str, range(classes))))
    train, validation, test = parts.values()
    return Dataset(train, validation, test, sizes.layout, config.data.name, "random", labels)


def median_interval(values: Sequence[float], coverage: float = 0.95) -> tuple[float, float]:
    """Order statistics between which the median lies, whatever the distribution; of few values their range.

    Of n values the (i+1)-th and the (n-i)-th hold it with probability 1 − 2 P(Binomial(n, ½) ≤ i).
    """
    ordered, n = sorted(values), len(values)
    below, inner = 0.0, 0
    for i in range(n // 2):
        below += math.comb(n, i) / 2**n
        if 1 - 2 * below < coverage:
            break
        inner = i
    return ordered[inner], ordered[n - 1 - inner]


def main() -> None:
    """Read the arguments of `probe` as JSON, write what it found as JSON: for a process of its own."""
    asked = json.load(sys.stdin)
    configs = [TrainConfig.parse(one) for one in asked["configs"]]
    found = probe(configs, asked["device"], asked["threads"], asked["most_seconds"])
    sys.stdout.write(json.dumps([one.to_dict() for one in found]))


if __name__ == "__main__":
    main()
