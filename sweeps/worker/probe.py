"""Measures how long an epoch takes, in a worker that has the resources of a trial and nothing else to do."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.trainer.trainer import Trainer
from sweeps.worker.trial import cached_dataset

STEPS = 8
ROUNDS = 7


def epoch_seconds(configs: Sequence[TrainConfig], device: str, threads: int) -> list[float]:
    """Training seconds of an epoch of each configuration: the median over rounds of a few steps.

    The configurations take turns, so that whatever else the machine does falls on all of them.

    Args:
        configs: each costs ``2 · ROUNDS · STEPS`` optimizer steps, of which half warm up.
        device: ``cpu`` or ``cuda``.
        threads: PyTorch's intra-op threads.
    """
    found: list[list[float]] = [[] for _ in configs]
    for _ in range(ROUNDS):
        for config, seconds in zip(configs, found, strict=True):
            dataset = cached_dataset(config.data)
            steps = -(-len(dataset.train) // config.batch_size)
            seconds.append(_step_seconds(config, dataset, device, threads) * steps)
    return [median(seconds) for seconds in found]


def _step_seconds(config: TrainConfig, dataset: Dataset, device: str, threads: int) -> float:
    """Of a short epoch, after one that warmed up.

    One CPU thread is measured in CPU time, which other work on the machine changes least; else it is the time
    that a trial counts.
    """
    short: dict[str, Any] = {
        "device": device,
        "threads": threads,
        "num_epochs": 3,  # the last one is evaluated, and not reached
        "annealing": {"name": "none"},
        "optimizer": {**config.to_dict()["optimizer"], "schedule": {"name": "constant"}},
        "evaluation": {**config.to_dict()["evaluation"], "every": 4},
    }
    few = replace(dataset, train=dataset.train[: STEPS * config.batch_size])
    trainer = Trainer(TrainConfig.parse({**config.to_dict(), **short}), few)
    epochs = trainer.epochs()
    next(epochs)
    before = _cpu_seconds(trainer)
    seconds = next(epochs).metrics["time/epoch_seconds"]
    if trainer.device.type == "cpu" and threads == 1:
        seconds = _cpu_seconds(trainer) - before
    return seconds / -(-len(few.train) // config.batch_size)


def _cpu_seconds(trainer: Trainer) -> float:
    """CPU time of the training thread in training so far."""
    seconds: float = trainer.state_dict()["stopwatch"]["cpu_seconds"]
    return seconds
