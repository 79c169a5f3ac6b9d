"""CPU microseconds of an evaluation, an image and sample, beside its matrix products alone.

    OMP_NUM_THREADS=1 python tests/benchmarks/training/evaluation.py [--images 40] [--samples 500]
        [--seconds 10]

Both are timed in turn in one process, as CPU time of one thread. The columns:

- evaluate: ``iwae.evaluation.evaluate`` on binary images;
- products: the matrix products of its layers alone, the encoder's once an image and the decoder's for every
  sample, in blocks of as many rows as the evaluation's;
- ratio: the median of evaluate / products over the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.items import Items
from iwae.evaluation.evaluation import BLOCK_BYTES, TEMPORARIES, evaluate
from iwae.model.vae import VAE
from iwae.randomness import generator
from iwae.trainer.machine import keep_freed_memory

# Pixels, hidden widths, latent units, activation; the last is the quickstart's.
SHAPES = (
    (784, (400,), 20, "relu"),
    (784, (200, 200), 50, "relu"),
    (784, (200, 200), 50, "tanh"),
    (64, (64, 64), 20, "tanh"),
)


def products(model: VAE, num_images: int, num_samples: int) -> Callable[[], None]:
    """The matrix products of an evaluation, and nothing else."""
    hidden, latent = model.config.hidden_dims, model.config.latent_dim
    rows = BLOCK_BYTES["cpu"] // (4 * TEMPORARIES * model.widest)
    total = num_images * num_samples
    blocks = [num_images] + [min(rows, total - start) for start in range(0, total, rows)]
    widths = [(model.num_pixels, *hidden, 2 * latent)]
    widths += [(latent, *reversed(hidden), model.num_pixels)] * (len(blocks) - 1)
    layers = {pair: torch.randn(pair[1], pair[0]) for width in widths for pair in pairwise(width)}
    inputs = {
        (size, pair[0]): torch.randn(size, pair[0])
        for size, width in zip(blocks, widths, strict=True)
        for pair in pairwise(width)
    }

    def multiply() -> None:
        for size, width in zip(blocks, widths, strict=True):
            for pair in pairwise(width):
                inputs[size, pair[0]] @ layers[pair].T

    return multiply


def seconds_of(function: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.thread_time()
    function()
    return time.thread_time() - start


def measure(model: VAE, images: Tensor, num_samples: int, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of evaluation and of products, in turn."""
    multiply = products(model, len(images), num_samples)
    evaluations, multiplications = [], []
    seconds_of(lambda: evaluate(model, Items(images), num_samples))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(evaluations) < 3:
        evaluations.append(seconds_of(lambda: evaluate(model, Items(images), num_samples)))
        multiplications.append(seconds_of(multiply))
    return evaluations, multiplications


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row of the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as the trainer does
    print(f"{'model':>24} {'evaluate':>9} {'products':>9} {'ratio':>6}    µs an image and sample, medians")
    for pixels, hidden, latent, activation in SHAPES:
        shape = {"hidden_dims": list(hidden), "latent_dim": latent, "activation": activation}
        config = TrainConfig.parse({"model": shape})
        model = VAE(config.model, Layout((pixels,)), generator=generator(0, "initialization"))
        source = generator(0, "images")
        images = (torch.rand(arguments.images, pixels, generator=source) < 0.2).to(torch.uint8) * 255
        found = measure(model, images, arguments.samples, arguments.seconds)
        rows = arguments.images * arguments.samples
        ours, floor = (1e6 * statistics.median(values) / rows for values in found)
        ratio = statistics.median(a / b for a, b in zip(*found, strict=True))
        name = "-".join(map(str, (pixels, *hidden, latent))) + f" {activation}"
        print(f"{name:>24} {ours:9.2f} {floor:9.2f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
