"""The first values of the parameters, drawn from a generator of the run's own."""

import math

import torch
from torch import nn

from iwae.config.model import VAEConfig
from iwae.model.likelihood import Likelihood, PixelStatistics


@torch.no_grad()
def initialize(
    encoder: nn.Sequential,
    decoder: nn.Sequential,
    likelihood: Likelihood,
    config: VAEConfig,
    generator: torch.Generator,
    statistics: PixelStatistics | None,
) -> None:
    """Sets weights and biases of dense layers as ``VAEConfig`` says.

    ``pytorch`` is nn.Linear's own default: weights and biases uniform in ±1/√in. ``glorot`` counts mean and
    log-variance of the posterior as two layers, as Burda et al. have them.

    Args:
        encoder: its last layer gives mean and log-variance, ``2 D`` outputs.
        decoder: its last layer gives the pixels, ``n X`` outputs.
        likelihood: of these outputs.
        config: says how.
        generator: on the CPU.
        statistics: of the training pixels; needed by ``output_bias: train_mean``.
    """
    head = encoder[-1]
    for layer in (*encoder, *decoder):
        if not isinstance(layer, nn.Linear):
            continue
        outputs = layer.out_features // 2 if layer is head else layer.out_features
        if config.init == "glorot":
            limit = math.sqrt(6 / (layer.in_features + outputs))
            layer.weight.uniform_(-limit, limit, generator=generator)
            layer.bias.zero_()
        else:
            limit = 1 / math.sqrt(layer.in_features)
            layer.weight.uniform_(-limit, limit, generator=generator)
            layer.bias.uniform_(-limit, limit, generator=generator)
    last = decoder[-1]
    assert isinstance(last, nn.Linear)
    likelihood.start(last.bias, config.output_bias, statistics)
