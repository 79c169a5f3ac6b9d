"""The most memory that a trial takes, from its configuration: what is refused before it is begun."""

from iwae.config.train import TrainConfig
from sweeps.pace.sizes import sizes_of

# A worker with PyTorch that has trained and evaluated once, before a trial's own.
WORKER_BYTES = 440 * 2**20
# An evaluation's blocks and their noise, whatever the model: `iwae.evaluation.evaluation.BLOCK_BYTES`.
EVALUATION_BYTES = 64 * 2**20
_FLOAT = 4


def peak_bytes(config: TrainConfig) -> int:
    """The most that a worker with this trial holds, bytes.

    PyTorch, the images (with a copy of their own where they are binarized once), parameters with gradients
    and Adam's two moments, and the larger of a training step and an evaluation.
    """
    sizes = sizes_of(config.data)
    copies = 1 if config.data.binarization in ("dynamic", "none") else 2
    model = 4 * _FLOAT * parameters(config)
    return WORKER_BYTES + copies * sizes.num_bytes + model + max(step_bytes(config), EVALUATION_BYTES)


def parameters(config: TrainConfig) -> int:
    """Weights of the dense layers, about: a forward pass multiplies by each once."""
    flops = config.model.flops(sizes_of(config.data).num_pixels)
    return int((flops.encode + flops.decode) / 2)


def step_bytes(config: TrainConfig) -> int:
    """Activations that a training step keeps for its gradient."""
    images = min(config.chunk_size or config.batch_size, config.batch_size)
    widths = sum(config.model.decoder_widths) + sizes_of(config.data).num_pixels + 4 * config.model.latent_dim
    return _FLOAT * 3 * config.objective.num_samples * images * widths
