"""What a masked network, told of a decoder's draft, adds to it.

A draft is what the likelihood needs of every pixel, ``[..., n X]``: the first number of all pixels, then the
second of all.
"""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.config.model.families.autoregressive import AutoregressiveConfig
from iwae.model.layers import ACTIVATIONS
from iwae.model.masked.made import Made
from iwae.model.masked.pixel_cnn import PixelCNN

# From a pixel's number and what the likelihood needs of it, ``[N, n]``, its value ``[N]``.
Choose = Callable[[int, Tensor], Tensor]


class MaskedFeatures(nn.Module):
    """A MADE over flat features; values unset."""

    def __init__(self, config: AutoregressiveConfig, layout: Layout) -> None:
        super().__init__()
        numbers = config.numbers_per_pixel
        context = numbers * layout.num_pixels
        activation = ACTIVATIONS[config.activation]
        self.made = Made(
            layout.num_pixels, config.decoder_widths, context, numbers, config.receptive_field, activation
        )
        self.widest = max((context, *config.decoder_widths))

    def forward(self, x: Tensor, draft: Tensor) -> Tensor:
        """``[K, B, n X]`` of features ``[B, X]``, or ``[K, B, X]``, and drafts ``[K, B, n X]``."""
        added: Tensor = self.made(x, draft)
        return draft + added

    def draw(self, draft: Tensor, choose: Choose) -> Tensor:
        """Features one after the other, ``[N, X]``, for drafts ``[N, n X]``."""
        return self.made.draw(draft, _added_to(draft, self.made.direct.mask.shape[1], choose))


class MaskedImage(nn.Module):
    """A gated PixelCNN; its context map is made of the draft by 3×3 weights. Values unset."""

    def __init__(self, config: AutoregressiveConfig, layout: Layout) -> None:
        super().__init__()
        assert layout.image_shape is not None
        self._shape = layout.image_shape
        size = config.pixel_cnn(layout)
        # skip_init: the layer's own initialization would draw from torch's global generator.
        self.context = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Conv2d, size.channels * size.outputs, size.context, 3, padding=1
        )
        self.pixel_cnn = PixelCNN(size)
        self.widest = self._shape[0] * self._shape[1] * 2 * size.width

    def forward(self, x: Tensor, draft: Tensor) -> Tensor:
        """``[K, B, n X]`` of pixels ``[B, X]``, or ``[K, B, X]``, and drafts ``[K, B, n X]``."""
        images = x.reshape(-1, *self._shape).permute(0, 3, 1, 2)  # [B, C, H, W]
        added: Tensor = self.pixel_cnn(images, self._context(draft))  # [K B, C n, H, W]
        height, width, channels = self._shape
        added = added.reshape(len(added), channels, -1, height, width).permute(0, 2, 3, 4, 1)
        return draft + added.reshape(draft.shape)

    def draw(self, draft: Tensor, choose: Choose) -> Tensor:
        """Images pixel by pixel, ``[N, X]``, for drafts ``[N, n X]``."""
        height, width, channels = self._shape
        pixel = _added_to(draft, height * width * channels, choose)
        shape = len(draft), height, width
        images = self.pixel_cnn.draw(shape, self._context(draft), lambda numbers: pixel(numbers)[:, None])
        return images.permute(0, 2, 3, 1).flatten(1)

    def _context(self, draft: Tensor) -> Tensor:
        height, width, channels = self._shape
        images = draft.reshape(-1, self.context.in_channels // channels, height, width, channels)
        return torch.relu(self.context(images.permute(0, 1, 4, 2, 3).flatten(1, 2)))


def _added_to(draft: Tensor, num_pixels: int, choose: Choose) -> Callable[[Tensor], Tensor]:
    """``choose`` for the next pixel, told of its draft ``[N, n]`` and what is added to it."""
    drafts, pixels = draft.view(len(draft), -1, num_pixels), itertools.count()

    def next_pixel(numbers: Tensor) -> Tensor:
        pixel = next(pixels)
        return choose(pixel, drafts[:, :, pixel] + numbers)

    return next_pixel
