"""What a training step takes, in operations: known before anything runs."""

from iwae.config.objective import SparseBackward
from iwae.config.train import TrainConfig
from sweeps.pace.sizes import sizes_of

# What takes seconds beside the dense layers, in operations of theirs: fitted to one CPU thread's seconds on
# digits and MNIST at K = 1 to 50 (`python tests/benchmarks/training/work.py`).
STEP_WORK = 1.0e8  # an optimizer step, whatever it holds: PyTorch's calls
ROW_WORK = 5.6e4  # an image's importance sample: its noise, activations and densities


# Operations a second of one thread, about: what is measured is divided into portions by it.
RATE = 5.0e10


def steps_per_epoch(config: TrainConfig) -> int:
    """Optimizer steps of an epoch, the last, smaller minibatch counted."""
    return -(-sizes_of(config.data).train // config.batch_size)


def image_operations(config: TrainConfig) -> float:
    """Operations of the dense layers for an image, forward and backward.

    Two a multiply-add, backward twice the forward, one encoder pass. A sparse backward pass decodes all
    samples, and those that it keeps once more for the gradient.
    """
    encode, decode = config.flops(sizes_of(config.data).layout)
    samples, backward = config.objective.num_samples, getattr(config.objective, "backward", None)
    if isinstance(backward, SparseBackward):
        kept = min(samples, backward.count or samples)
        return 3 * encode + (samples + 3 * kept) * decode
    return 3 * (encode + samples * decode)


def row_work(config: TrainConfig) -> float:
    """The same of an image's importance sample in an evaluation."""
    return config.flops(sizes_of(config.data).layout).decode + ROW_WORK


def step_work(config: TrainConfig) -> float:
    """Everything that takes seconds in a step, as operations of the dense layers that take as long."""
    image = image_operations(config) + config.objective.num_samples * ROW_WORK
    return config.batch_size * image + STEP_WORK


def epoch_work(config: TrainConfig) -> float:
    """The same of an epoch, whose last minibatch may be smaller."""
    train = sizes_of(config.data).train
    return train / config.batch_size * (step_work(config) - STEP_WORK) + steps_per_epoch(config) * STEP_WORK
