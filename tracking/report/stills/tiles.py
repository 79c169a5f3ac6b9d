"""Image grids as PNG files."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GAP, GRAY = 1, 110


def tiled(images: NDArray[np.uint8], side: int = 56) -> Image.Image:
    """One picture of a grid.

    Args:
        images: bytes 0..255, gray ``[rows, columns, H, W]`` or of C channels ``[..., H, W, C]``: one
            is gray, three are red, green and blue, a fourth is opacity, and two are gray planes side by side.
        side: pixels to which a tile is enlarged at least, by whole factors and without smoothing.
    """
    shown = _channels(images)
    rows, columns, height, width, channels = shown.shape
    grid = np.full((rows, columns, height + GAP, width + GAP, channels), GRAY, dtype=np.uint8)
    if channels == 4:
        grid[..., 3] = 255
    grid[:, :, :height, :width] = shown
    whole = (rows * (height + GAP), columns * (width + GAP), channels)
    flat = grid.transpose(0, 2, 1, 3, 4).reshape(whole)[:-GAP, :-GAP]
    factor = max(1, -(-side // max(height, width)))
    picture = Image.fromarray(np.ascontiguousarray(flat[..., 0] if channels == 1 else flat))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _channels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[rows, columns, H, W, C]`` with one, three or four channels."""
    if images.ndim == 4:
        return images[..., None]
    if images.shape[-1] == 2:
        return np.concatenate((images[..., :1], images[..., 1:]), axis=3)
    return images


def png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
