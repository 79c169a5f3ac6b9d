"""What a training step takes, in operations: known before anything runs."""

from iwae.config.catalogue import CATALOGUE
from iwae.config.objective import SparseBackward
from iwae.config.train import TrainConfig

# What takes seconds beside the dense layers, in operations of theirs: fitted to one CPU thread's seconds on
# digits and MNIST at K = 1 to 50 (`python tests/benchmarks/forecast.py`).
STEP_WORK = 1.0e8  # an optimizer step, whatever it holds: PyTorch's calls
ROW_WORK = 5.6e4  # an image's importance sample: its noise, activations and densities


def split_sizes(config: TrainConfig) -> tuple[int, int]:
    """Training and validation images; npz sets are taken to be as large as MNIST."""
    facts = CATALOGUE[config.data.name]
    validation = config.data.num_validation or facts.held_out(facts.num_train)
    return min(config.data.num_train or facts.num_train, facts.num_train - validation), validation


def image_operations(config: TrainConfig) -> float:
    """Operations of the dense layers for an image, forward and backward.

    Two a multiply-add, backward twice the forward, one encoder pass. A sparse backward pass decodes all
    samples, and those that it keeps once more for the gradient.
    """
    encode, decode = config.model.flops(CATALOGUE[config.data.name].num_pixels)
    samples, backward = config.objective.num_samples, getattr(config.objective, "backward", None)
    if isinstance(backward, SparseBackward):
        kept = min(samples, backward.count or samples)
        return 3 * encode + (samples + 3 * kept) * decode
    return 3 * (encode + samples * decode)


def step_work(config: TrainConfig) -> float:
    """Everything that takes seconds in a step, as operations of the dense layers that take as long."""
    image = image_operations(config) + config.objective.num_samples * ROW_WORK
    return config.batch_size * image + STEP_WORK


def epoch_work(config: TrainConfig) -> float:
    """The same of an epoch, whose last minibatch may be smaller."""
    train, _ = split_sizes(config)
    steps = -(-train // config.batch_size)
    return train / config.batch_size * (step_work(config) - STEP_WORK) + steps * STEP_WORK
