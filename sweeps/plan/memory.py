"""The most memory that a trial takes, from its configuration: what decides whether it can be begun."""

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.memory import COPIES_OF_PARAMETERS, FLOAT_BYTES, peak_step_bytes
from sweeps.pace.sizes import sizes_of

# A process with PyTorch, Ray and our code, that has trained and evaluated something once; on a GPU, PyTorch's
# own and the libraries' memory there. `python tests/benchmarks/training/peak_memory.py`.
PROCESS_BYTES = {"cpu": 440 * 2**20, "cuda": 600 * 2**20}
# An evaluation's blocks, whatever the model.
EVALUATION_BYTES = {"cpu": 48 * 2**20, "cuda": 2**30}

# A draw of the gradient by the activations that it keeps: their gradients, and what the heap loses.
DRAWN = 1.5
# Of a parameter in the gradient's draws: two moments in float64, a draw, and what is worked on of them.
MOMENTS_BYTES = 38


def peak_bytes(config: TrainConfig, device: str = "cpu") -> int:
    """The most that a process with this trial holds on a device, bytes.

    The process itself, the images (a second time where they are binarized once), and the largest of a
    training step, a draw of the gradient and an evaluation.
    """
    sizes = sizes_of(config.data)
    copies = 1 if config.data.binarization in ("dynamic", "none") else 2
    work = [peak_step_bytes(config, sizes.layout, device), EVALUATION_BYTES[device]]
    if config.gradient_draws:  # in chunks as large as `activation_bytes` lets them be
        work.append(_draw_bytes(config, sizes.layout))
    return PROCESS_BYTES[device] + copies * sizes.num_bytes + max(work)


def _draw_bytes(config: TrainConfig, layout: Layout) -> int:
    """Of a draw of the gradient: activations and their gradients, and moments of each parameter."""
    parameters = config.floats(layout).parameters
    kept = COPIES_OF_PARAMETERS * FLOAT_BYTES * parameters
    step = peak_step_bytes(config, layout, "cuda")
    return int(DRAWN * (step - kept)) + kept + MOMENTS_BYTES * parameters


def in_chunks_that_fit(config: TrainConfig, most: float, device: str) -> TrainConfig | None:
    """The configuration as it is, or with fewer images at once, so that it takes no more than this.

    Args:
        config: of a trial.
        most: bytes that it may take.
        device: where it trains.

    Returns:
        None where not even one image at a time fits.
    """
    size = config.chunk_size or config.batch_size
    if peak_bytes(config, device) <= most:
        return config
    while size > 1 and not config.objective.needs_whole_minibatch:
        size = -(-size // 2)
        smaller = config.model_copy(update={"chunk_size": size})
        if peak_bytes(smaller, device) <= most:
            return smaller
    return None
