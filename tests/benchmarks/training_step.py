"""CPU milliseconds of a training step beside a plain encode-once PyTorch step, interleaved in one process.

    OMP_NUM_THREADS=1 python tests/benchmarks/training_step.py [--samples 1 5 20 50 100] [--seconds 8]

784-400-20, batch 100, dynamic binarization, synthetic bytes. The plain step has the same model and Adam,
draws its pixels with torch.bernoulli from float data, and uses binary_cross_entropy_with_logits.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from iwae.config.train import TrainConfig
from iwae.model.vae import VAE
from iwae.randomness import generator
from iwae.trainer.machine import keep_freed_memory
from iwae.trainer.optimization import Optimization

NUM_IMAGES, NUM_PIXELS, BATCH = 10_000, 784, 100


def plain_step(images: torch.Tensor, num_samples: int) -> Callable[[], None]:
    """The step most people would write, with the encoder run once."""
    model = VAE(TrainConfig().model, NUM_PIXELS, generator=generator(0, "initialization"))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    pixels = images.float() / 255
    permutation = torch.randperm(NUM_IMAGES)
    position = 0

    def step() -> None:
        nonlocal position
        indices = permutation[position : position + BATCH]
        position = (position + BATCH) % NUM_IMAGES
        x = torch.bernoulli(pixels[indices])
        mean, log_variance = model.encoder(x).chunk(2, -1)
        std = torch.exp(0.5 * log_variance)
        noise = torch.randn(num_samples, *mean.shape)
        z = mean + std * noise
        log_q = torch.distributions.Normal(mean, std, validate_args=False).log_prob(z).sum(-1)
        log_prior = torch.distributions.Normal(0.0, 1.0, validate_args=False).log_prob(z).sum(-1)
        logits = model.decoder(z)
        target = x.expand_as(logits)
        log_likelihood = -binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
        loss = -torch.logsumexp(log_likelihood + log_prior - log_q, 0).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def our_step(images: torch.Tensor, num_samples: int) -> Callable[[], None]:
    """A step of the trainer."""
    config = TrainConfig.parse({"objective": {"num_samples": num_samples}, "num_epochs": 10_000})
    model = VAE(config.model, NUM_PIXELS, generator=generator(0, "initialization"))
    optimization = Optimization(config, model, images)

    def step() -> None:
        optimization.step()
        if optimization.batch == optimization.steps_per_epoch:
            optimization.end_epoch()

    return step


def seconds_of(step: Callable[[], None], repeats: int) -> float:
    """CPU seconds of a step: with one thread, what it takes on a core that it has for itself."""
    start = time.thread_time()
    for _ in range(repeats):
        step()
    return (time.thread_time() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 5, 20, 50, 100])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each row of the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # for both, as the trainer does
    source = torch.Generator().manual_seed(0)
    ink = torch.rand(NUM_IMAGES, NUM_PIXELS, generator=source) < 0.2
    images = torch.randint(0, 256, ink.shape, generator=source, dtype=torch.uint8) * ink
    print(f"{'K':>4} {'plain ms':>9} {'ours ms':>9} {'median ratio':>13}")
    for num_samples in arguments.samples:
        plain, ours = plain_step(images, num_samples), our_step(images, num_samples)
        seconds_of(plain, 3), seconds_of(ours, 3)
        repeats = max(1, 10 // num_samples)
        pairs = []
        end = time.perf_counter() + arguments.seconds
        while time.perf_counter() < end:
            pairs.append((seconds_of(plain, repeats), seconds_of(ours, repeats)))
        plain_ms, ours_ms = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(own / other for other, own in pairs)
        print(f"{num_samples:>4} {plain_ms:>9.2f} {ours_ms:>9.2f} {ratio:>13.3f}", flush=True)


if __name__ == "__main__":
    main()
