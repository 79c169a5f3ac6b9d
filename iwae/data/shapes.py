"""From an array's shape to the layout of its items; where the channels of an image stand is never guessed."""

from typing import NamedTuple

import numpy as np

from iwae.config.layout import Layout
from iwae.errors import DataError

MAX_CHANNELS = 4
_SHAPES = "[N, X], [N, H, W], [N, H, W, C] or [N, C, H, W]"


class Arrangement(NamedTuple):
    """How the items of an array are laid out.

    Attributes:
        layout: of one item, channels last.
        channels_first: whether the array has the channels of an image before its rows.
    """

    layout: Layout
    channels_first: bool = False

    def items(self, array: np.ndarray) -> np.ndarray:
        """The items in their layout, ``[N, *layout.shape]``."""
        ordered = np.moveaxis(array, 1, -1) if self.channels_first else array
        return ordered.reshape(len(array), *self.layout.shape)


def arrangement(shape: tuple[int, ...], where: str, *, floats: bool) -> Arrangement:
    """The layout of the items of an array.

    Args:
        shape: ``[N, X]``: features; ``[N, H, W]``: images; ``[N, H, W, C]`` or ``[N, C, H, W]`` with
            C <= 4: images in colour. Floats of any other shape are features.
        where: file and array, for the error.
        floats: whether the values are floats, not pixels.

    Raises:
        DataError: the shape is none of these, or there are two places where the channels could be.
    """
    item = shape[1:]
    if len(shape) == 1 or 0 in shape:
        fix = " (array[:, None] has one feature)" if len(shape) == 1 and 0 not in shape else ""
        raise DataError(f"{where} has the shape {shape}: must be {_SHAPES}, not empty{fix}")
    if len(item) < 3:
        return Arrangement(Layout(item))
    if len(item) == 3:
        first, last = item[0] <= MAX_CHANNELS, item[2] <= MAX_CHANNELS
        if first and last:
            raise DataError(
                f"{where} has the shape {shape}, whose channels could be the first or the last of {item}:"
                " must be certain: save it as [N, X] or, of one channel, as [N, H, W]"
            )
        if first or last:
            height, width, channels = (*item[1:], item[0]) if first else item
            return Arrangement(Layout((height, width) if channels == 1 else (height, width, channels)), first)
    if not floats:
        raise DataError(f"{where} has the shape {shape}: must be {_SHAPES} with C <= {MAX_CHANNELS}")
    return Arrangement(Layout((int(np.prod(item)),)))
