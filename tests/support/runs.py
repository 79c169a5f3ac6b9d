"""Whole runs of the trainer, as what "bitwise" compares."""

import hashlib
import io
from typing import Any

import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.epoch import EpochRecord
from iwae.trainer.trainer import Trainer

NOT_BITWISE = ("time/", "throughput/", "system/")


def compared(epochs: list[EpochRecord]) -> list[dict[str, float]]:
    """What "bitwise" compares: everything but seconds, throughput and memory."""
    return [
        {name: value for name, value in epoch.metrics.items() if not name.startswith(NOT_BITWISE)}
        for epoch in epochs
    ]


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def whole_run(config: TrainConfig, digits: Dataset) -> tuple[list[dict[str, float]], dict[str, float], str]:
    trainer = Trainer(config, digits)
    return compared(list(trainer.epochs())), trainer.finish(), digest(trainer)


def digest(trainer: Trainer) -> str:
    return hashlib.sha256(trainer.weights()).hexdigest()
