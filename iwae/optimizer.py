"""Adam and its learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from iwae.config import CosineRate, OptimizerConfig, StagedRate


def build_optimizer(config: OptimizerConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Adam:
    """Adam in one fused kernel, on the CPU too."""
    return torch.optim.Adam(parameters, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)


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
