"""The first values of the parameters, drawn from a generator of the run's own."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from iwae.model.vae import VAE

# Pixels that are never on would get a bias of −∞ (Burda et al. 2016, the authors' code).
TRAIN_MEAN_CLIP = (0.001, 0.999)


@torch.no_grad()
def initialize(model: "VAE", generator: torch.Generator, train_pixels: Tensor | None) -> None:
    """Sets every parameter of ``model`` as ``ModelConfig`` says; see there.

    ``pytorch`` is nn.Linear's own default: weights and biases uniform in ±1/√in. ``glorot`` counts mean and
    log-variance of the posterior as two layers, as Burda et al. have them.
    """
    config = model.config
    head = [layer for layer in model.encoder if isinstance(layer, nn.Linear)][-1]
    for layer in (*model.encoder, *model.decoder):
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
    mean, std = _statistics(train_pixels) if train_pixels is not None else (None, None)
    _set_output_bias(model, mean)
    if isinstance(getattr(model, "observation_log_std", None), nn.Parameter) and std is not None:
        model.observation_log_std.fill_(math.log(max(std, 1e-2)))


def _statistics(pixels: Tensor) -> tuple[Tensor, float]:
    """Mean of every pixel ``[X]`` and the root mean squared deviation from it."""
    values = pixels.to("cpu", torch.float32)
    if pixels.dtype == torch.uint8:
        values = values / 255
    mean = values.mean(0, dtype=torch.float64)
    variance = values.square().mean(0, dtype=torch.float64) - mean.square()
    return mean, math.sqrt(max(float(variance.mean()), 0.0))


def _set_output_bias(model: "VAE", mean: Tensor | None) -> None:
    last = model.decoder[-1]
    assert isinstance(last, nn.Linear)
    if model.config.output_bias == "zero":
        last.bias.zero_()
    elif model.config.output_bias == "train_mean":
        assert mean is not None, "train_mean needs the training pixels"
        bernoulli = model.config.likelihood == "bernoulli"
        last.bias.copy_(torch.logit(mean.clamp(*TRAIN_MEAN_CLIP)) if bernoulli else mean)
