"""Convolutional networks against SciPy's correlation, and their costs against PyTorch's own count."""

import numpy as np
import pytest
import torch
from scipy import signal
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from iwae.config.model.layers import conv_decoder_layers, conv_encoder_layers
from iwae.model.networks.conv import ConvDecoder, ConvEncoder

SHAPES = pytest.mark.parametrize(
    ("image_shape", "channels"),
    [((8, 8, 1), (5, 6)), ((28, 28, 1), (3, 4, 5)), ((32, 32, 3), (4, 6)), ((9, 7, 4), (3, 2))],
)


def filled(module: nn.Module) -> nn.Module:
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.3, generator=source)
    return module.double()


@SHAPES
def test_parameters_outputs_and_operations_are_those_that_pytorch_counts(
    image_shape: tuple[int, int, int], channels: tuple[int, ...]
) -> None:
    encoder = filled(ConvEncoder(image_shape, channels, 7, nn.ReLU))
    decoder = filled(ConvDecoder(3, channels[::-1], image_shape, 2, nn.ReLU))
    for module, layers, given, width in (
        (encoder, conv_encoder_layers(image_shape, channels, 7), np.prod(image_shape), 7),
        (decoder, conv_decoder_layers(3, channels[::-1], image_shape, 2), 3, 2 * np.prod(image_shape)),
    ):
        with FlopCounterMode(display=False) as counter:
            output = module(torch.ones(1, int(given), dtype=torch.float64))
        assert output.shape == (1, width)
        assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in module.parameters())
        assert layers[-1].outputs == width
        assert 2 * sum(layer.multiply_adds for layer in layers) == counter.get_total_flops()


@SHAPES
def test_first_convolution_is_scipys_correlation_of_height_width_channel(
    image_shape: tuple[int, int, int], channels: tuple[int, ...]
) -> None:
    encoder = filled(ConvEncoder(image_shape, channels[:1], 7, nn.Identity))
    images = np.random.default_rng(0).normal(size=(2, *image_shape))
    first = encoder.layers[0]
    weight, bias = first.weight.detach().numpy(), first.bias.detach().numpy()
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    maps = (
        np.stack(
            [
                sum(signal.correlate(padded[..., c], kernel[None, c], "valid") for c in range(image_shape[2]))
                for kernel in weight
            ],
            1,
        )[..., ::2, ::2]
        + bias[:, None, None]
    )
    head = encoder.head
    expected = maps.reshape(2, -1) @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    with torch.no_grad():
        np.testing.assert_allclose(encoder(torch.tensor(images.reshape(2, -1))), expected, rtol=1e-10)


@SHAPES
def test_last_transposed_convolution_is_scipys_full_convolution_number_by_number(
    image_shape: tuple[int, int, int], channels: tuple[int, ...]
) -> None:
    height, width, colours = image_shape
    decoder = filled(ConvDecoder(3, channels[:1], image_shape, 2, nn.Identity))
    z = np.random.default_rng(0).normal(size=(2, 3))
    seed, last = decoder.seed, decoder.layers[-1]
    maps = z @ seed.weight.detach().numpy().T + seed.bias.detach().numpy()
    spread = np.zeros((2, channels[0], 2 * (height // 2), 2 * (width // 2)))
    spread[..., ::2, ::2] = maps.reshape(2, channels[0], height // 2, width // 2)
    weight, bias = last.weight.detach().numpy(), decoder.bias.detach().numpy()
    full = np.stack(
        [
            sum(signal.convolve(spread[:, c], weight[c, o][None]) for c in range(channels[0]))
            for o in range(2 * colours)
        ],
        1,
    )[..., 1 : height + 1, 1 : width + 1]
    expected = full.reshape(2, 2, colours, height, width).transpose(0, 1, 3, 4, 2)
    with torch.no_grad():
        found = decoder(torch.tensor(z)[:, None])  # leading dimensions as those of samples and items
    np.testing.assert_allclose(found, expected.reshape(2, 1, -1) + bias, rtol=1e-10)


def test_samples_and_items_are_decoded_apart() -> None:
    decoder = filled(ConvDecoder(3, (4, 2), (8, 8, 3), 1, nn.ReLU))
    z = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alone = torch.stack([torch.stack([decoder(one) for one in sample]) for sample in z])
    torch.testing.assert_close(decoder(z), alone)
