"""Kernels in Triton's Python: a tile of rows × pixels each, whose logits are in registers.

A row is a sample of an image of a model: row n is of image n mod B. Arguments have no types here: Triton's
compiler reads annotations as its own.
"""

import triton
import triton.language as tl


@triton.jit
def tile_of_logits(
    hidden,
    weight,
    bias,
    rows,
    columns,
    num_rows,
    num_pixels,
    width,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_X: tl.constexpr,
    BLOCK_H: tl.constexpr,
):
    """``hidden · weightᵀ + bias`` at ``rows`` × ``columns``, garbage beyond the last of either."""
    tile = tl.zeros((BLOCK_N, BLOCK_X), dtype=tl.float32)
    for start in range(0, width, BLOCK_H):
        units = start + tl.arange(0, BLOCK_H)
        h = tl.load(
            hidden + rows[:, None] * width + units[None, :],
            mask=(rows[:, None] < num_rows) & (units[None, :] < width),
            other=0.0,
        )
        w = tl.load(
            weight + columns[None, :] * width + units[:, None],
            mask=(columns[None, :] < num_pixels) & (units[:, None] < width),
            other=0.0,
        )
        tile = tl.dot(h, w, tile, input_precision=PRECISION)
    return tile + tl.load(bias + columns, mask=columns < num_pixels, other=0.0)[None, :]


@triton.jit
def log_likelihood(
    hidden,
    weight,
    bias,
    x,
    log_p,
    num_rows,
    num_images,
    num_pixels,
    width,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_X: tl.constexpr,
    BLOCK_H: tl.constexpr,
):
    """Writes Σ_i (x_i ℓ_i − softplus(ℓ_i)) of every row of every model, ``[S, num_rows]``."""
    # Offsets within a tile fit in 32 bits, the tile's own need not.
    first, model = tl.program_id(0).to(tl.int64) * BLOCK_N, tl.program_id(1).to(tl.int64)
    rows = tl.arange(0, BLOCK_N)
    left = num_rows - first
    images = (first + rows) % num_images
    hidden += (model * num_rows + first) * width
    weight += model * num_pixels * width
    bias += model * num_pixels
    x += model * num_images * num_pixels
    total = tl.zeros((BLOCK_N,), dtype=tl.float32)
    for start in range(0, num_pixels, BLOCK_X):
        columns = start + tl.arange(0, BLOCK_X)
        logits = tile_of_logits(
            hidden,
            weight,
            bias,
            rows,
            columns,
            left,
            num_pixels,
            width,
            PRECISION,
            BLOCK_N,
            BLOCK_X,
            BLOCK_H,
        )
        inside = (rows[:, None] < left) & (columns[None, :] < num_pixels)
        pixels = tl.load(x + images[:, None] * num_pixels + columns[None, :], mask=inside, other=0.0)
        magnitude = tl.abs(logits)
        # The first two terms cancel exactly where x is the likelier value.
        terms = (pixels - 0.5) * logits - 0.5 * magnitude - tl.log(1.0 + tl.exp(-magnitude))
        total += tl.sum(tl.where(inside, terms, 0.0), axis=1)
    tl.store(log_p + model * num_rows + first + rows, total, mask=rows < left)


@triton.jit
def logit_gradient(
    hidden,
    weight,
    bias,
    x,
    upstream,
    of_logits,
    first_row,
    part_rows,
    num_rows,
    num_images,
    num_pixels,
    width,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_X: tl.constexpr,
    BLOCK_H: tl.constexpr,
):
    """Writes (x − σ(ℓ)) · ``upstream`` of ``part_rows`` rows of every model, ``[S, part_rows, X]``."""
    local, model = tl.program_id(0).to(tl.int64) * BLOCK_N, tl.program_id(2).to(tl.int64)
    first = first_row + local
    rows = tl.arange(0, BLOCK_N)
    left = part_rows - local
    columns = tl.program_id(1) * BLOCK_X + tl.arange(0, BLOCK_X)
    logits = tile_of_logits(
        hidden + (model * num_rows + first) * width,
        weight + model * num_pixels * width,
        bias + model * num_pixels,
        rows,
        columns,
        left,
        num_pixels,
        width,
        PRECISION,
        BLOCK_N,
        BLOCK_X,
        BLOCK_H,
    )
    inside = (rows[:, None] < left) & (columns[None, :] < num_pixels)
    images = model * num_images + (first + rows) % num_images
    pixels = tl.load(x + images[:, None] * num_pixels + columns[None, :], mask=inside, other=0.0)
    scale = tl.load(upstream + model * num_rows + first + rows, mask=rows < left, other=0.0)
    tl.store(
        of_logits + (model * part_rows + local) * num_pixels + rows[:, None] * num_pixels + columns[None, :],
        (pixels - tl.sigmoid(logits)) * scale[:, None],
        mask=inside,
    )
