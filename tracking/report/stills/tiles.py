"""Image grids as PNG files."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GAP = 1


def tiled(images: NDArray[np.uint8], side: int = 56) -> Image.Image:
    """One picture of a grid.

    Args:
        images: gray values 0..255, ``[rows, columns, H, W]``.
        side: pixels to which a tile is enlarged at least, by whole factors and without smoothing.
    """
    rows, columns, height, width = images.shape
    grid = np.full((rows, columns, height + GAP, width + GAP), 110, dtype=np.uint8)
    grid[:, :, :height, :width] = images
    flat = grid.transpose(0, 2, 1, 3).reshape(rows * (height + GAP), columns * (width + GAP))[:-GAP, :-GAP]
    factor = max(1, -(-side // max(height, width)))
    picture = Image.fromarray(np.ascontiguousarray(flat))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
