"""The first values of the parameters, drawn from a generator of the run's own."""

from collections.abc import Sequence

import torch
from torch import nn

from iwae.config.model import NetworksPart
from iwae.model.layers import initialize_layer
from iwae.model.likelihood import Likelihood, PixelStatistics
from iwae.model.networks import ConvDecoder, head_of, output_bias


@torch.no_grad()
def initialize(
    encoder: nn.Module,
    decoder: nn.Module,
    likelihood: Likelihood,
    config: NetworksPart,
    generator: torch.Generator,
    statistics: PixelStatistics | None,
    blocks: Sequence[tuple[int, int]] = (),
) -> None:
    """Sets weights and biases of the networks as ``NetworksPart`` says.

    ``glorot`` counts what the encoder's last layer gives as layers of their own: mean and log-variance of the
    posterior, as Burda et al. have them.

    Args:
        encoder: its last layer gives what the posterior needs.
        decoder: its last layer gives the pixels, ``n X`` outputs.
        likelihood: of these outputs.
        config: says how.
        generator: on the CPU.
        statistics: of the training pixels; needed by ``output_bias: train_mean``.
        blocks: of the outputs of the encoder's last layer, as ``initialize_layer`` takes them.
    """
    head = head_of(encoder)
    for layer in (*encoder.modules(), *decoder.modules()):
        initialize_layer(layer, config.init, generator, blocks if layer is head else ())
    if isinstance(decoder, ConvDecoder):
        decoder.bias.zero_()  # it is no layer's own
    likelihood.start(output_bias(decoder), config.output_bias, statistics)
