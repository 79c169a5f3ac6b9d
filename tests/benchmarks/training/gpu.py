"""Training steps a second on a GPU: with CUDA graphs, with the fused kernel, packed and side by side.

    python tests/benchmarks/training/gpu.py [--samples 1 50 100] [--seconds 3] [--trials 32]
    python tests/benchmarks/training/gpu.py --device cpu --small     # only that the command works

784-400-20, batch 100, dynamic binarization, synthetic bytes. Three tables:

1. Steps a second at each K, dense and sparse (M = 4), kernel by kernel or as one CUDA graph, with the logits
   in memory or in the fused kernel only (IWAE_CUDA_GRAPHS and IWAE_CUDA_FUSED, each 0 or 1).
2. The time of a step at the largest K over that at the smallest. The published table of seed 000 has 551 s
   over 423 s, 1.30, for K = 100 over K = 1.
3. Steps a second of all trials together: packed in one process (iwae.pack), and as many processes that share
   the device. On a CPU every process has one thread.

Table 1 of Burda et al. in full is ``sweeps run burda-table-1 --set resources.gpus=0.2``: its rows differ in
K, so they are no pack, and five processes share the GPU.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.multiprocessing

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.model.likelihood.bernoulli import SWITCH as FUSED
from iwae.pack.pack import Pack
from iwae.trainer.graph import SWITCH as GRAPHS
from iwae.trainer.trainer import Trainer

NUM_PIXELS = 784
# Between two looks at the clock, each of which waits for the device.
STEPS_AT_ONCE = 20
# Graphs and fused kernel, off and on.
VARIANTS = {"neither": "00", "graph": "10", "fused": "01", "both": "11"}


class Sizes:
    """What ``--small`` makes small."""

    def __init__(self, small: bool) -> None:
        self.images, self.hidden = (500, 16) if small else (10_000, 400)
        self.rounds = 2 if small else 7


@contextmanager
def variant(switches: str) -> Iterator[None]:
    """The two environment variables for a while."""
    before = dict(os.environ)
    os.environ.update({GRAPHS: switches[0], FUSED: switches[1]})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def dataset_of(sizes: Sizes) -> Dataset:
    """Digits of nothing: a fifth of the pixels has ink."""
    source = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (sizes.images + 200, NUM_PIXELS), generator=source, dtype=torch.uint8)
    images *= torch.rand(images.shape, generator=source) < 0.2
    train, validation, test = images.split([sizes.images, 100, 100])
    return Dataset(train, validation, test, Layout((28, 28)), "synthetic", "synthetic")


def config_of(num_samples: int, backward: str, sizes: Sizes, device: str, seed: int = 0) -> TrainConfig:
    values: dict[str, Any] = {
        "data": {"name": "mnist"},
        "model": {"hidden_dims": [sizes.hidden], "latent_dim": 20},
        "objective": {"num_samples": num_samples, "backward": {"name": backward}},
        "num_epochs": 10**6,
        "seed": seed,
        "device": device,
    }
    return TrainConfig.parse(values)


def stepper(trainer: Trainer) -> Callable[[], None]:
    """Makes one step, whatever epoch it is in."""
    optimization = trainer.join()
    optimization.warm_up()

    def step() -> None:
        optimization.step()
        if optimization.batch == optimization.steps_per_epoch:
            optimization.end_epoch()

    return step


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def rate_of(step: Callable[[], None], seconds: float, device: str) -> float:
    """Steps a second."""
    wait(device)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(STEPS_AT_ONCE):
            step()
        wait(device)
        count += STEPS_AT_ONCE
    return count / (time.perf_counter() - start)


def single(arguments: argparse.Namespace, sizes: Sizes, dataset: Dataset) -> None:
    """Tables 1 and 2."""
    # On a CPU neither switch changes anything.
    names = list(VARIANTS) if arguments.device == "cuda" else ["neither"]
    times: dict[tuple[str, str, int], float] = {}
    print(f"{'K':>5} {'backward':>8} " + " ".join(f"{name:>10}" for name in names) + "   steps a second")
    for num_samples in arguments.samples:
        for backward in ("dense", "sparse"):
            config = config_of(num_samples, backward, sizes, arguments.device)
            steps: dict[str, Callable[[], None]] = {}
            for name in names:
                with variant(VARIANTS[name]):
                    steps[name] = stepper(Trainer(config, dataset))
            found: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(sizes.rounds):
                for name in names:
                    with variant(VARIANTS[name]):
                        rate = rate_of(steps[name], arguments.seconds / sizes.rounds, arguments.device)
                    found[name].append(rate)
            rates = {name: statistics.median(values) for name, values in found.items()}
            times |= {(name, backward, num_samples): 1 / rate for name, rate in rates.items()}
            row = " ".join(f"{rates[name]:>10.1f}" for name in names)
            print(f"{num_samples:>5} {backward:>8} {row}", flush=True)
    low, high = min(arguments.samples), max(arguments.samples)
    for name in names:
        for backward in ("dense", "sparse"):
            ratio = times[name, backward, high] / times[name, backward, low]
            print(f"time at K = {high} / time at K = {low}, {backward}, {name}: {ratio:.2f}")


def packed_rate(num_samples: int, arguments: argparse.Namespace, sizes: Sizes, dataset: Dataset) -> float:
    """Steps a second of all members."""
    configs = [
        config_of(num_samples, "dense", sizes, arguments.device, seed) for seed in range(arguments.trials)
    ]
    trainers = [Trainer(config, dataset) for config in configs]
    pack = Pack(trainers[0], len(trainers))

    def epoch() -> float:
        wait(arguments.device)
        start = time.perf_counter()
        pack.train_epoch(trainers)
        wait(arguments.device)
        seconds = time.perf_counter() - start
        for trainer in trainers:
            trainer.join().end_epoch()
        return len(trainers) * trainers[0].join().steps_per_epoch / seconds

    epoch()
    return statistics.median(epoch() for _ in range(3))


def _train_beside(config: TrainConfig, dataset: Dataset, seconds: float, together: Any, rates: Any) -> None:
    """One of the processes that share the device."""
    torch.set_num_threads(1)
    step = stepper(Trainer(config, dataset))
    together.wait()
    rates.put(rate_of(step, seconds, config.device))
    together.wait()  # none ends while another is timed


def beside_rate(num_samples: int, arguments: argparse.Namespace, sizes: Sizes, dataset: Dataset) -> float:
    """Steps a second of as many processes."""
    context = torch.multiprocessing.get_context("spawn")
    together, rates = context.Barrier(arguments.trials), context.Queue()
    processes = []
    for seed in range(arguments.trials):
        config = config_of(num_samples, "dense", sizes, arguments.device, seed)
        inputs = (config, dataset, arguments.seconds, together, rates)
        processes.append(context.Process(target=_train_beside, args=inputs))
        processes[-1].start()
    total = sum(rates.get(timeout=600) for _ in processes)
    for process in processes:
        process.join()
    return float(total)


def many(arguments: argparse.Namespace, sizes: Sizes, dataset: Dataset) -> None:
    """Table 3."""
    print(f"{arguments.trials} trials, dense: steps a second of all together")
    for num_samples in arguments.samples:
        packed = packed_rate(num_samples, arguments, sizes, dataset)
        beside = beside_rate(num_samples, arguments, sizes, dataset)
        print(
            f"K = {num_samples}: packed {packed:.0f}, as processes {beside:.0f}, ratio {packed / beside:.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 50, 100])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each number")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument(
        "--small", action="store_true", help="500 images, 16 hidden units, 3 trials, K = 1 and 5"
    )
    arguments = parser.parse_args()
    if arguments.small:
        arguments.samples, arguments.seconds, arguments.trials = [1, 5], 0.2, 3
    sizes = Sizes(arguments.small)
    dataset = dataset_of(sizes)
    cuda = arguments.device == "cuda"
    torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if cuda else platform.processor() or "CPU"
    print(f"{name}, PyTorch {torch.__version__}, 784-{sizes.hidden}-20, batch 100")
    single(arguments, sizes, dataset)
    many(arguments, sizes, dataset)


if __name__ == "__main__":
    main()
