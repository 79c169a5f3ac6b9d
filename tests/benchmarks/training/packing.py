"""CPU milliseconds of a trial's step in a pack against one trial after another, interleaved in one process.

    OMP_NUM_THREADS=1 python tests/benchmarks/training/packing.py [--slots 8] [--samples 1 5 20 50]
        [--seconds 20] [--shapes digits mnist]

Trials that differ in their seed; batch 100, dynamic binarization. ``digits`` is the quickstart's shape,
64-64-64-20 with tanh on real images; ``mnist`` 784-400-20 with relu on synthetic bytes. A round trains an
epoch of every trial, first one after another, then packed, copies in and out of the pack included. The last
number is the ratio: how many times faster a trial trains in the pack, the median of the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.pack.pack import Pack
from iwae.trainer.trainer import Trainer

SHAPES: dict[str, dict[str, Any]] = {
    "digits": {"hidden_dims": [64, 64], "latent_dim": 20, "activation": "tanh"},
    "mnist": {"hidden_dims": [400], "latent_dim": 20},
}
# About as many as the digits have, so that a round is short and its halves meet the same neighbours.
NUM_IMAGES = 1100


def images_of(shape: str) -> Dataset:
    digits = load_dataset(DataConfig(name="digits"))
    if shape == "digits":
        return replace(digits, train=digits.train[:NUM_IMAGES].clone())
    source = torch.Generator().manual_seed(0)
    ink = torch.rand(NUM_IMAGES, 784, generator=source) < 0.2
    images = torch.randint(0, 256, ink.shape, generator=source, dtype=torch.uint8) * ink
    return replace(digits, train=images, validation=images[:10], test=images[:10], layout=Layout((28, 28)))


def trainers_of(shape: str, num_samples: int, slots: int) -> list[Trainer]:
    dataset = images_of(shape)
    values = {
        "data": {"name": "digits"},
        "model": SHAPES[shape],
        "objective": {"num_samples": num_samples},
        "num_epochs": 10**6,
        "device": "cpu",
        "threads": 1,
    }
    return [Trainer(TrainConfig.parse({**values, "seed": seed}), dataset) for seed in range(slots)]


def alone(trainers: list[Trainer]) -> None:
    """An epoch of each, without its evaluation."""
    for trainer in trainers:
        optimization = trainer.join()
        for _ in range(optimization.steps_per_epoch):
            optimization.step()
        optimization.end_epoch()


def together(pack: Pack, trainers: list[Trainer]) -> None:
    pack.train_epoch(trainers)
    for trainer in trainers:
        trainer.join().end_epoch()


def cpu_seconds(work: Callable[[], None]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def measure(shape: str, num_samples: int, slots: int, seconds: float) -> tuple[float, float, float]:
    """Seconds of a trial's step alone and packed, and the median of the rounds' ratios."""
    one, other = (trainers_of(shape, num_samples, slots) for _ in range(2))
    pack = Pack(other[0], slots)
    rounds: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    alone(one)
    together(pack, other)
    while time.perf_counter() < end or len(rounds) < 3:
        rounds.append((cpu_seconds(lambda: alone(one)), cpu_seconds(lambda: together(pack, other))))
    steps = slots * one[0].join().steps_per_epoch
    first, second = (statistics.median(values) / steps for values in zip(*rounds, strict=True))
    return first, second, statistics.median(a / b for a, b in rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 5, 20, 50])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row of the table")
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{arguments.slots} trials; milliseconds of a trial's step (medians) alone, packed; ratio")
    for shape in arguments.shapes:
        for num_samples in arguments.samples:
            first, second, ratio = measure(shape, num_samples, arguments.slots, arguments.seconds)
            print(f"{shape} K = {num_samples}: {1e3 * first:.3f} {1e3 * second:.3f} {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
