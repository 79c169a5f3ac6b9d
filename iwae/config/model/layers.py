"""What the layers of a network cost: dense ones, and convolutions of stride 2."""

import itertools
from typing import NamedTuple

# Of a convolution; with stride 2 and padding 1 it halves height and width, rounded down.
KERNEL = 4


class Layer(NamedTuple):
    """One layer with its activation.

    Attributes:
        multiply_adds: of one item, or of one sample.
        parameters: weights and biases.
        outputs: numbers that it gives.
    """

    multiply_adds: int
    parameters: int
    outputs: int


def dense_layers(widths: tuple[int, ...]) -> list[Layer]:
    """Of a stack of dense layers, inputs first."""
    return [
        Layer(inputs * outputs, inputs * outputs + outputs, outputs)
        for inputs, outputs in itertools.pairwise(widths)
    ]


def halvings(image_shape: tuple[int, int, int], count: int) -> list[tuple[int, int]]:
    """(H, W) of an image, and after each of ``count`` layers that halve both, rounded down."""
    height, width, _ = image_shape
    return [(height >> i, width >> i) for i in range(count + 1)]


def conv_encoder_layers(
    image_shape: tuple[int, int, int], channels: tuple[int, ...], outputs: int, told: int = 0
) -> list[Layer]:
    """Of convolutions with ``channels``, from the pixels inward, and a dense layer behind them.

    The dense layer has ``told`` more inputs than the convolutions give.
    """
    sizes = halvings(image_shape, len(channels))
    layers = []
    for index, (inputs, number) in enumerate(zip((image_shape[2], *channels), channels, strict=False)):
        height, width = sizes[index + 1]
        weights = KERNEL**2 * inputs * number
        layers.append(Layer(weights * height * width, weights + number, number * height * width))
    height, width = sizes[-1]
    return layers + dense_layers((channels[-1] * height * width + told, outputs))


def conv_decoder_layers(
    latent_dim: int, channels: tuple[int, ...], image_shape: tuple[int, int, int], numbers: int
) -> list[Layer]:
    """Of a dense layer and transposed convolutions; the last gives ``numbers`` for each pixel and colour."""
    sizes = halvings(image_shape, len(channels))[::-1]
    outputs = (*channels[1:], numbers * image_shape[2])
    layers = dense_layers((latent_dim, channels[0] * sizes[0][0] * sizes[0][1]))
    for index, (inputs, number) in enumerate(zip(channels, outputs, strict=True)):
        (height, width), (higher, wider) = sizes[index], sizes[index + 1]
        weights, given = KERNEL**2 * inputs * number, number * higher * wider
        # Of the last layer every pixel has a bias of its own.
        biases = given if index == len(channels) - 1 else number
        layers.append(
            Layer(weights * height * width, weights + biases, given)
        )  # an input reaches KERNEL² outputs
    return layers
