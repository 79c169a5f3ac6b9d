"""Memory of a training step, and how a minibatch is cut so that it fits; without PyTorch, for planners."""

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig

FLOAT_BYTES = 4
# Parameter, gradient and Adam's two moments.
COPIES_OF_PARAMETERS = 4
# Pixels as bytes, intensities, uniform numbers and binary pixels.
BYTES_OF_A_PIXEL = 1 + 3 * FLOAT_BYTES
# On the CPU a pass over what its cache holds takes no longer than one over the whole minibatch, so no more is
# in memory at once. Smaller chunks cost more calls than they save.
CACHED_BYTES = 24 * 2**20


# What the C library's heap loses to holes between tensors; CUDA's allocator is not told from outside.
HEAP = {"cpu": 1.35, "cuda": 1.0}


def held_bytes(activation_bytes: int, device: str) -> int:
    """Activations that are in memory at once on ``cpu`` or ``cuda``, unless one sample takes more."""
    return min(activation_bytes, CACHED_BYTES) if device == "cpu" else activation_bytes


def images_at_once(config: TrainConfig, layout: Layout, most_bytes: int | None = None) -> int:
    """Images of one forward and backward pass, in chunks of a minibatch that are as even as can be.

    Args:
        config: its ``chunk_size`` and ``activation_bytes`` are what must not be passed.
        layout: of an item.
        most_bytes: of activations, in place of ``activation_bytes``.
    """
    if config.objective.needs_whole_minibatch:
        return config.batch_size
    held = config.activation_bytes if most_bytes is None else most_bytes
    image_bytes = FLOAT_BYTES * config.floats(layout).sample * config.objective.backward_samples
    most = min(config.chunk_size or config.batch_size, max(1, held // image_bytes))
    chunks = -(-config.batch_size // most)
    return -(-config.batch_size // chunks)


def images_of_a_pass(config: TrainConfig, layout: Layout, device: str) -> int:
    """Images of a training step's forward and backward pass on ``cpu`` or ``cuda``."""
    return images_at_once(config, layout, held_bytes(config.activation_bytes, device))


def peak_step_bytes(config: TrainConfig, layout: Layout, device: str = "cpu") -> int:
    """Most memory that training steps take beside the process itself, the data set and evaluations.

    Parameters with gradient and optimizer state, a minibatch with its noise, and the activations of one pass:
    no more than ``activation_bytes``, unless one sample of each of its images takes more.
    """
    floats = config.floats(layout)
    images = images_of_a_pass(config, layout, device)
    batch, samples = config.batch_size, config.objective.num_samples
    sample_bytes = FLOAT_BYTES * floats.sample
    held = min(images * config.objective.backward_samples * sample_bytes, config.activation_bytes)
    if config.objective.backward_samples < samples:  # all of them are weighed without a graph before
        held = max(held, min(images * samples * sample_bytes, held_bytes(config.activation_bytes, device)))
    step = (
        COPIES_OF_PARAMETERS * FLOAT_BYTES * floats.parameters
        + batch * BYTES_OF_A_PIXEL * layout.num_pixels
        + FLOAT_BYTES * images * floats.image
        + max(held, images * sample_bytes)
    )
    return int(HEAP[device] * step) + FLOAT_BYTES * batch * samples * floats.noise
