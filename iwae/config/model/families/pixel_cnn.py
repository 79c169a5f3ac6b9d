"""How large a gated PixelCNN is, what it computes and what it holds; without PyTorch."""

from typing import NamedTuple


class PixelCNNSize(NamedTuple):
    """Of the network in ``iwae.model.masked.pixel_cnn``.

    Attributes:
        channels: C, channels of a pixel, each of which sees the ones before it.
        inputs: numbers that a channel's value is given as: 1, or one for each category.
        outputs: n, numbers for a channel of a pixel.
        features: F, width of either stack for each channel.
        layers: gated layers, at least 1.
        receptive_field: rows and columns before a pixel that it depends on; 0 is none, and no other channel.
        context: channels of the context map; 0 is no context.
    """

    channels: int
    inputs: int
    outputs: int
    features: int
    layers: int
    receptive_field: int
    context: int

    @property
    def width(self) -> int:
        """Features of either stack."""
        return self.channels * self.features

    @property
    def radii(self) -> tuple[int, ...]:
        """Rows and columns that each layer reaches beyond the one before; the first takes what is over."""
        each = self.receptive_field // self.layers
        return self.receptive_field - each * (self.layers - 1), *(each,) * (self.layers - 1)

    @property
    def weights(self) -> int:
        """Parameters without biases, masked ones counted: multiply-adds for a pixel."""
        width, total = self.width, 0
        for index, radius in enumerate(self.radii):
            inputs = width if index else self.channels * self.inputs
            taps = (radius + 1) * (2 * radius + 2)  # of the rows above, and of the columns before
            total += 2 * width * (inputs * taps + 2 * width + 2 * self.context) + width * width
        return total + width * (width + self.channels * self.outputs)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.width * (5 * self.layers + 1) + self.channels * self.outputs

    @property
    def floats(self) -> int:
        """Numbers for a pixel that wait for the gradient, or are there while it is taken."""
        # In a layer: the padded inputs of both stacks, and of both gates two halves and their product.
        layer = 8 * self.width
        return self.layers * layer + 8 * self.width + 2 * self.channels * (self.inputs + self.outputs)
