"""The first values of the parameters, drawn from a generator of the run's own."""

import math

import torch
from torch import Tensor, nn

from iwae.config.model import VAEConfig

# Pixels that are never on would get a bias of −∞ (Burda et al. 2016, the authors' code).
TRAIN_MEAN_CLIP = (0.001, 0.999)


@torch.no_grad()
def initialize(
    encoder: nn.Sequential,
    decoder: nn.Sequential,
    config: VAEConfig,
    generator: torch.Generator,
    pixel_mean: Tensor | None,
) -> None:
    """Sets weights and biases of dense layers as ``VAEConfig`` says.

    ``pytorch`` is nn.Linear's own default: weights and biases uniform in ±1/√in. ``glorot`` counts mean and
    log-variance of the posterior as two layers, as Burda et al. have them.

    Args:
        encoder: its last layer gives mean and log-variance, ``2 D`` outputs.
        decoder: its last layer gives the pixels, ``X`` outputs.
        config: says how.
        generator: on the CPU.
        pixel_mean: mean of every training pixel, ``[X]``; needed by ``output_bias: train_mean``.
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
    if config.output_bias == "zero":
        last.bias.zero_()
    elif config.output_bias == "train_mean":
        assert pixel_mean is not None, "train_mean needs the training pixels"
        bernoulli = config.likelihood == "bernoulli"
        last.bias.copy_(torch.logit(pixel_mean.clamp(*TRAIN_MEAN_CLIP)) if bernoulli else pixel_mean)


def pixel_statistics(pixels: Tensor) -> tuple[Tensor, float]:
    """Mean of every pixel, float64 ``[X]``, and the root mean squared deviation from it.

    Args:
        pixels: ``[N, X]`` in [0, 1], or their bytes.
    """
    values = pixels.to("cpu", torch.float32)
    if pixels.dtype == torch.uint8:
        values = values / 255
    mean = values.mean(0, dtype=torch.float64)
    variance = values.square().mean(0, dtype=torch.float64) - mean.square()
    return mean, math.sqrt(max(float(variance.mean()), 0.0))
