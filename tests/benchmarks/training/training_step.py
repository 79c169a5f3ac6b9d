"""CPU milliseconds of a training step beside other people's, interleaved in one process.

    OMP_NUM_THREADS=1 python tests/benchmarks/training/training_step.py [--samples 1 5 20 50 100]
        [--seconds 8] [--hidden 400] [--latent 20]

Batch 100, dynamic binarization, synthetic bytes of 784 pixels. The columns:

- ours, dense and sparse (M = 4): the trainer's step with ``objective.backward``;
- plain: the step most people would write, with the encoder run once: the same model and Adam,
  torch.bernoulli from float data, binary_cross_entropy_with_logits;
- pythae: its IWAE with the same layers and Adam, where the package is installed (Chadebec et al. 2022);
- products: the matrix products alone of the layers, forward and backward, and forward only.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from iwae.config.train import TrainConfig
from iwae.model.vae import VAE
from iwae.randomness import generator
from iwae.trainer.machine import keep_freed_memory
from iwae.trainer.optimization import Optimization

NUM_IMAGES, NUM_PIXELS, BATCH, RATE = 10_000, 784, 100, 1e-3
Step = Callable[[], None]


def config_of(hidden: Sequence[int], latent: int, num_samples: int, backward: str = "dense") -> TrainConfig:
    return TrainConfig.parse(
        {
            "model": {"hidden_dims": list(hidden), "latent_dim": latent},
            "objective": {"num_samples": num_samples, "backward": {"name": backward}},
            "num_epochs": 10_000,
        }
    )


def minibatches(images: Tensor) -> Callable[[], Tensor]:
    """Draws ``[BATCH, X]`` binary pixels from float intensities."""
    pixels, permutation, position = images.float() / 255, torch.randperm(NUM_IMAGES), 0

    def draw() -> Tensor:
        nonlocal position
        indices = permutation[position : position + BATCH]
        position = (position + BATCH) % NUM_IMAGES
        return torch.bernoulli(pixels[indices])

    return draw


def plain_step(config: TrainConfig, images: Tensor) -> Step:
    """The step most people would write, with the encoder run once."""
    model = VAE(config.model, NUM_PIXELS, generator=generator(0, "initialization"))
    optimizer, draw = torch.optim.Adam(model.parameters(), lr=RATE), minibatches(images)

    def step() -> None:
        x = draw()
        mean, log_variance = model.encoder(x).chunk(2, -1)
        std = torch.exp(0.5 * log_variance)
        noise = torch.randn(config.objective.num_samples, *mean.shape)
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


def pythae_step(config: TrainConfig, images: Tensor) -> Step:
    """pythae's IWAE on the layers of our model; its loss needs probabilities."""
    from pythae.models import IWAE, IWAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    ours = VAE(config.model, NUM_PIXELS, generator=generator(0, "initialization"))

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = ours.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.layers(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*ours.decoder, nn.Sigmoid())

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z))

    settings = IWAEConfig(
        input_dim=(NUM_PIXELS,),
        latent_dim=config.model.latent_dim,
        reconstruction_loss="bce",
        number_samples=config.objective.num_samples,
    )
    model, draw = IWAE(settings, Encoder(), Decoder()), minibatches(images)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def step() -> None:
        loss = model({"data": draw()}).loss
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def our_step(config: TrainConfig, images: Tensor) -> Step:
    """A step of the trainer."""
    model = VAE(config.model, NUM_PIXELS, generator=generator(0, "initialization"))
    optimization = Optimization(config, model, images)

    def step() -> None:
        optimization.step()
        if optimization.batch == optimization.steps_per_epoch:
            optimization.end_epoch()

    return step


def products(config: TrainConfig, *, backward: bool) -> Step:
    """The dense layers' matrix products alone: one encoder pass, K decoder passes."""
    hidden, latent = config.model.hidden_dims, config.model.latent_dim
    shapes = [(BATCH, *pair) for pair in pairwise((NUM_PIXELS, *hidden, 2 * latent))]
    rows = BATCH * config.objective.num_samples
    shapes += [(rows, *pair) for pair in pairwise((latent, *reversed(hidden), NUM_PIXELS))]
    layers = [(torch.randn(n, a), torch.randn(b, a), torch.randn(n, b)) for n, a, b in shapes]

    def step() -> None:
        for index, (x, weight, gradient) in enumerate(layers):
            x @ weight.T
            if backward:
                gradient.T @ x
            if backward and index > 0:  # the pixels have no gradient
                gradient @ weight

    return step


def seconds_of(step: Step, repeats: int) -> float:
    """CPU seconds of a step: with one thread, what it takes on a core that it has for itself."""
    start = time.thread_time()
    for _ in range(repeats):
        step()
    return (time.thread_time() - start) / repeats


def steps_of(hidden: Sequence[int], latent: int, num_samples: int, images: Tensor) -> dict[str, Step]:
    """What is timed, by column."""
    dense, sparse = (config_of(hidden, latent, num_samples, name) for name in ("dense", "sparse"))
    steps = {
        "dense": our_step(dense, images),
        "sparse": our_step(sparse, images),
        "plain": plain_step(dense, images),
        "products": products(dense, backward=True),
        "forward": products(dense, backward=False),
    }
    if importlib.util.find_spec("pythae") is not None:
        steps["pythae"] = pythae_step(dense, images)
    return steps


def measure(steps: dict[str, Step], num_samples: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of each step, interleaved."""
    repeats = max(1, 10 // num_samples)
    for step in steps.values():
        seconds_of(step, 3)
    found: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, step in steps.items():
            found[name].append(seconds_of(step, repeats))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 5, 20, 50, 100])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each row of the table")
    parser.add_argument("--hidden", type=int, nargs="+", default=[400])
    parser.add_argument("--latent", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # for all, as the trainer does
    source = torch.Generator().manual_seed(0)
    ink = torch.rand(NUM_IMAGES, NUM_PIXELS, generator=source) < 0.2
    images = torch.randint(0, 256, ink.shape, generator=source, dtype=torch.uint8) * ink
    shape = "-".join(map(str, (NUM_PIXELS, *arguments.hidden, arguments.latent)))
    print(f"{shape}, milliseconds (medians), then ratios of medians taken in the same round")
    for num_samples in arguments.samples:
        steps = steps_of(arguments.hidden, arguments.latent, num_samples, images)
        found = measure(steps, num_samples, arguments.seconds)

        def ratio(above: str, below: str, found: dict[str, list[float]] = found) -> str:
            if above not in found:
                return "–"
            return f"{statistics.median(a / b for a, b in zip(found[above], found[below], strict=True)):.2f}"

        times = ", ".join(f"{name} {1e3 * statistics.median(values):.1f}" for name, values in found.items())
        print(f"K = {num_samples}: {times}")
        print(
            f"    dense / plain {ratio('dense', 'plain')}, pythae / dense {ratio('pythae', 'dense')},"
            f" pythae / sparse {ratio('pythae', 'sparse')}, dense / products {ratio('dense', 'products')},"
            f" sparse / forward {ratio('sparse', 'forward')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
