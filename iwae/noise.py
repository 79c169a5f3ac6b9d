"""Seeds of the evaluation's noise: one for each image and chunk of its samples, and none for two.

PyTorch's CPU generator reads 32 bits of a seed, so there are 2³² streams: 2²⁰ rows of 2¹² chunks. An image
has the row of its own number; samples beyond its 2¹² chunks take further rows, counted from the last one.
"""

from iwae.errors import ConfigError

CHUNKS_PER_ROW = 4096
ROWS = 2**20
# Spreads rows and chunks over 32 bits; odd, so that no two share a seed.
SEED_STRIDE = 2_654_435_761


def rows_per_image(num_samples: int, samples_per_chunk: int) -> int:
    """Rows of seeds that an image takes."""
    chunks = -(-num_samples // samples_per_chunk)
    return -(-chunks // CHUNKS_PER_ROW)


def noise_seed(seed: int, image: int, chunk: int, rows: int = 1) -> int:
    """The 32-bit seed of a chunk of an image's samples.

    Args:
        seed: of the evaluation.
        image: its position in the set, from 0.
        chunk: position among the image's chunks, from 0.
        rows: ``rows_per_image`` of the evaluation.
    """
    further, column = divmod(chunk, CHUNKS_PER_ROW)
    row = image if further == 0 else ROWS - 1 - (image * (rows - 1) + further - 1)
    return (seed + SEED_STRIDE * (row * CHUNKS_PER_ROW + column)) % 2**32


def refuse_shared_noise(path: str, num_images: int, num_samples: int, samples_per_chunk: int) -> None:
    """Raises ConfigError when there are more chunks than seeds, so that images would share noise.

    Args:
        path: of the number of samples, for the message.
        num_images: of the set.
        num_samples: importance samples of each.
        samples_per_chunk: drawn from one seed.
    """
    if num_images * rows_per_image(num_samples, samples_per_chunk) > ROWS:
        most = ROWS // num_images * CHUNKS_PER_ROW * samples_per_chunk
        raise ConfigError(
            path,
            f"{num_samples} is not allowed: must be <= {most} with {num_images} images, or two"
            " images would share their noise",
        )
