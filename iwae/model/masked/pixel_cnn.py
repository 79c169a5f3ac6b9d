"""Gated PixelCNN: a vertical and a horizontal stack of masked convolutions (van den Oord et al. 2016b).

Pixels come row by row, and channels of a pixel one after the other. The vertical stack sees the rows above a
pixel, the horizontal stack what is to the left of it and the vertical stack: together everything in a window
of ``receptive_field`` rows above and as many columns to either side, without a blind spot.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from iwae.config.model.families.pixel_cnn import PixelCNNSize
from iwae.model.masked.layers import MaskedConv2d


class PixelCNN(nn.Module):
    """What the pixels before it and a context map say of every pixel; values unset."""

    def __init__(self, size: PixelCNNSize) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(
            _GatedLayer(size, radius, first=index == 0) for index, radius in enumerate(size.radii)
        )
        groups, width = size.channels, size.width
        self.hidden = MaskedConv2d(_channel_mask(groups, width, width))
        self.outputs = MaskedConv2d(_channel_mask(groups, width, groups * size.outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The n numbers of the first channel, then those of the second: ``[N, C n, H, W]``.

        Args:
            x: ``[B, C inputs, H, W]``; with a context N is a multiple of B, and x is repeated.
            context: ``[N, context, H, W]``.
        """
        return self._horizontal(x, self._vertical(x, context), context)

    @torch.no_grad()
    def draw(
        self, shape: tuple[int, int, int], context: Tensor | None, choose: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Images drawn pixel by pixel, ``[N, C inputs, H, W]``.

        Args:
            shape: ``(N, H, W)``.
            context: ``[N, context, H, W]``.
            choose: the value ``[N, inputs]`` of a channel of a pixel from its numbers ``[N, n]``.
        """
        (number, height, width), size = shape, self.size
        like = self.outputs.weight
        x = like.new_zeros(number, size.channels * size.inputs, height, width)
        for row in range(height):
            rows = slice(max(0, row - size.receptive_field), row + 1)
            above = [part[:, :, -1:] for part in self._vertical(x[:, :, rows], _part(context, rows))]
            for column in range(width):
                columns = slice(max(0, column - size.receptive_field), column + 1)
                here = slice(row, row + 1)
                for channel in range(size.channels):
                    output = self._horizontal(
                        x[:, :, here, columns],
                        [part[..., columns] for part in above],
                        _part(context, here, columns),
                    )[:, :, 0, -1]
                    numbers = output.reshape(number, size.channels, size.outputs)[:, channel]
                    inputs = slice(channel * size.inputs, (channel + 1) * size.inputs)
                    x[:, inputs, row, column] = choose(numbers)
        return x

    def _vertical(self, x: Tensor, context: Tensor | None) -> list[Tensor]:
        """What the vertical stack gives to the horizontal one in every layer, ``[N, 2 C F, H, W]`` each."""
        given = []
        for layer in self.layers:
            assert isinstance(layer, _GatedLayer)
            before, x = layer.vertical(x, context)
            given.append(before)
        return given

    def _horizontal(self, x: Tensor, above: list[Tensor], context: Tensor | None) -> Tensor:
        for layer, given in zip(self.layers, above, strict=True):
            assert isinstance(layer, _GatedLayer)
            x = layer.horizontal(x, given, context)
        output: Tensor = self.outputs(torch.relu(self.hidden(torch.relu(x))))
        return output


class _GatedLayer(nn.Module):
    """A layer of both stacks: y = tanh(a) σ(b), residual in the horizontal stack after the first layer."""

    def __init__(self, size: PixelCNNSize, radius: int, *, first: bool) -> None:
        super().__init__()
        groups, width = size.channels, size.width
        inputs = groups * size.inputs if first else width
        self.radius, self.first = radius, first
        rows = torch.ones(2 * width, inputs, radius + 1, 2 * radius + 1)
        if first:  # the pixel's own row is the horizontal stack's
            rows[:, :, -1] = 0
        self.of_rows = MaskedConv2d(rows)
        columns = torch.ones(2 * width, inputs, 1, radius + 1)
        if first and size.receptive_field == 0:
            columns.zero_()
        else:
            columns[..., -1:] = _channel_mask(groups, inputs, 2 * width, itself=not first, gated=True)
        self.of_columns = MaskedConv2d(columns)
        self.of_above = _pointwise(2 * width, 2 * width)
        self.residual = MaskedConv2d(_channel_mask(groups, width, width))
        self.contexts = nn.ModuleList(_pointwise(size.context, 2 * width) for _ in "vh" if size.context)

    def vertical(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Given to the horizontal stack, ``[N, 2 C F, H, W]``, and to the next layer, ``[N, C F, H, W]``."""
        before = self.of_rows(pad(x, (self.radius, self.radius, self.radius, 0)))
        before = self._told(before, 0, context)
        return before, _gate(before)

    def horizontal(self, x: Tensor, above: Tensor, context: Tensor | None) -> Tensor:
        """``[N, C F, H, W]``, as wide as ``x`` after the first layer."""
        before = self.of_columns(pad(x, (self.radius, 0, 0, 0)))
        before = _sum(before, self.of_above(above))
        output: Tensor = self.residual(_gate(self._told(before, 1, context)))
        return output if self.first else x + output

    def _told(self, before: Tensor, stack: int, context: Tensor | None) -> Tensor:
        return before if context is None else _sum(before, self.contexts[stack](context))


def _gate(before: Tensor) -> Tensor:
    content, gate = before.chunk(2, 1)
    return torch.tanh(content) * torch.sigmoid(gate)


def _sum(part: Tensor, whole: Tensor) -> Tensor:
    """``part`` ``[B, ...]``, repeated, plus ``whole`` ``[K B, ...]``."""
    if len(part) == len(whole):
        return part + whole
    return (part + whole.reshape(-1, *part.shape)).flatten(0, 1)


def _channel_mask(
    groups: int, inputs: int, outputs: int, *, itself: bool = True, gated: bool = False
) -> Tensor:
    """``[outputs, inputs, 1, 1]``: a channel's units see those of the channels before it, and ``itself``.

    Outputs that are ``gated`` are two halves, in each of which the channels follow one another.
    """
    halves = 2 if gated else 1
    of_input = torch.arange(groups).repeat_interleave(inputs // groups)
    of_output = torch.arange(groups).repeat_interleave(outputs // (halves * groups)).repeat(halves)
    seen = of_input <= of_output[:, None] if itself else of_input < of_output[:, None]
    return seen.float()[:, :, None, None]


def _pointwise(inputs: int, outputs: int) -> nn.Module:
    # skip_init: the layer's own initialization would draw from torch's global generator.
    conv: nn.Module = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 1, bias=False)  # type: ignore[no-untyped-call]
    return conv


def _part(context: Tensor | None, rows: slice, columns: slice = slice(None)) -> Tensor | None:
    return None if context is None else context[:, :, rows, columns]
