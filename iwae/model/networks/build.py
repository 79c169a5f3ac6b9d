"""From a configuration to the networks of its encoder and decoder; the values are unset."""

from torch import nn

from iwae.config.layout import Layout
from iwae.config.model import NetworksPart
from iwae.model.layers import ACTIVATIONS, dense
from iwae.model.networks.conv import ConvDecoder, ConvEncoder


def encoder_network(config: NetworksPart, layout: Layout, outputs: int) -> nn.Module:
    """Gives so many numbers of an item with what is told of it: ``[B, X + Y]`` -> ``[B, outputs]``.

    Raises:
        ConfigError: the networks do not suit the layout.
    """
    config.check_layout(layout)
    activation = ACTIVATIONS[config.activation]
    if config.networks == "conv":
        assert layout.image_shape is not None
        return ConvEncoder(layout.image_shape, config.hidden_dims, outputs, activation, config.told(layout))
    return dense((layout.num_pixels + config.told(layout), *config.hidden_dims, outputs), activation)


def decoder_network(config: NetworksPart, layout: Layout, inputs: int, numbers: int) -> nn.Module:
    """Gives so many numbers of every pixel, the first of all pixels, then the second of all.

    From latents ``[..., inputs]``: ``[..., numbers · X]``.

    Raises:
        ConfigError: the networks do not suit the layout.
    """
    config.check_layout(layout)
    activation, inputs = ACTIVATIONS[config.activation], inputs + config.told(layout)
    if config.networks == "conv":
        assert layout.image_shape is not None
        return ConvDecoder(inputs, config.decoder_widths, layout.image_shape, numbers, activation)
    return dense((inputs, *config.decoder_widths, numbers * layout.num_pixels), activation)


def last_dense(decoder: nn.Module) -> tuple[list[nn.Module], nn.Linear] | None:
    """A dense decoder's layers and its last one apart, for a likelihood that joins it; None of others."""
    if not isinstance(decoder, nn.Sequential):
        return None
    *hidden, last = decoder
    assert isinstance(last, nn.Linear)
    return hidden, last


def output_bias(decoder: nn.Module) -> nn.Parameter:
    """The bias of the last layer, ``[numbers · X]``."""
    bias = decoder.bias if isinstance(decoder, ConvDecoder) else decoder[-1].bias  # type: ignore[index]
    assert isinstance(bias, nn.Parameter)
    return bias


def head_of(encoder: nn.Module) -> nn.Linear:
    """The encoder's last layer."""
    head = encoder.head if isinstance(encoder, ConvEncoder) else encoder[-1]  # type: ignore[index]
    assert isinstance(head, nn.Linear)
    return head
