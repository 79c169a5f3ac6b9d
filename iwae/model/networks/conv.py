"""Convolutional encoder and decoder: every layer halves, or doubles, height and width."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# A multiple of the stride, so that every pixel is reached by as many weights (Odena et al. 2016).
KERNEL, STRIDE, PADDING = 4, 2, 1


class ConvEncoder(nn.Module):
    """Images as rows ``[B, X]``, in the order height, width, channel, through convolutions of stride 2.

    What else is told of an item stands behind its pixels, and joins the dense layer's inputs.

    Args:
        image_shape: (H, W, C).
        channels: of each layer, from the pixels inward; H and W are at least 2 to their number.
        outputs: of the dense layer behind them.
        activation: behind every convolution.
        told: Y, numbers behind the pixels.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: tuple[int, ...],
        outputs: int,
        activation: Callable[[], nn.Module],
        told: int = 0,
    ) -> None:
        super().__init__()
        self._image_shape = image_shape
        height, width, inputs = image_shape
        self._num_pixels = height * width * inputs
        layers: list[nn.Module] = []
        for number in channels:
            # skip_init: the layer's own initialization would draw from torch's global generator.
            layer = nn.utils.skip_init(  # type: ignore[no-untyped-call]
                nn.Conv2d, inputs, number, KERNEL, STRIDE, PADDING
            )
            layers += [layer, activation()]
            height, width, inputs = height // 2, width // 2, number
        self.layers = nn.Sequential(*layers)
        self.head = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, inputs * height * width + told, outputs
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, X + Y]`` -> ``[B, outputs]``."""
        pixels, told = x[..., : self._num_pixels], x[..., self._num_pixels :]
        images = pixels.reshape(-1, *self._image_shape).permute(0, 3, 1, 2)  # [B, C, H, W]
        output: Tensor = self.head(torch.cat((self.layers(images).flatten(1), told), 1))
        return output


class ConvDecoder(nn.Module):
    """Latents through a dense layer and transposed convolutions of stride 2.

    The last layer's bias is one for every number of every pixel, as a dense layer's would be.

    Args:
        latent_dim: D.
        channels: of each layer, from the latents outward; H and W are at least 2 to their number.
        image_shape: (H, W, C).
        numbers: what the likelihood needs of each pixel.
        activation: before every transposed convolution.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: tuple[int, ...],
        image_shape: tuple[int, int, int],
        numbers: int,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        height, width, colours = image_shape
        self._numbers = numbers
        sizes = [(height >> i, width >> i) for i in range(len(channels), -1, -1)]  # from the latents outward
        self._first = (channels[0], *sizes[0])
        self.seed = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, latent_dim, channels[0] * sizes[0][0] * sizes[0][1]
        )
        layers: list[nn.Module] = []
        following = (*channels[1:], numbers * colours)
        for inputs, outputs, (rows, columns) in zip(channels, following, sizes[1:], strict=True):
            layer = nn.utils.skip_init(  # type: ignore[no-untyped-call]
                nn.ConvTranspose2d,
                inputs,
                outputs,
                KERNEL,
                STRIDE,
                PADDING,
                output_padding=(rows % 2, columns % 2),
                bias=len(layers) < 2 * len(channels) - 2,
            )
            layers += [activation(), layer]
        self.layers = nn.Sequential(*layers)
        self.bias = nn.Parameter(torch.empty(numbers * height * width * colours))

    def forward(self, z: Tensor) -> Tensor:
        """``[..., D]`` -> ``[..., numbers · X]``: the first number of every pixel, then the second, ..."""
        maps = self.layers(self.seed(z).reshape(-1, *self._first))  # [N, numbers · C, H, W]
        if maps.shape[1] > self._numbers:  # colours go last, as in the images
            maps = maps.unflatten(1, (self._numbers, -1)).movedim(2, -1)
        output: Tensor = maps.reshape(*z.shape[:-1], -1) + self.bias
        return output
