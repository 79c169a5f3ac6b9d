"""CPU milliseconds of a training step beside other people's, a process each, taken in turns.

    OMP_NUM_THREADS=1 python tests/benchmarks/training/training_step.py [--samples 1 5 20 50 100]
        [--seconds 8] [--shapes 784-400-20 784-200-200-50]

Batch 100, dynamic binarization, synthetic bytes of 784 pixels. Every column has a process of its own, so that
it has the memory allocator that its users have; only one runs at a time. The columns:

- dense, sparse (M = 4): the trainer's step with ``objective.backward``;
- plain: the step most people would write, with the encoder run once: the same model and Adam,
  torch.bernoulli from float data, binary_cross_entropy_with_logits;
- pythae: its IWAE with the same layers and Adam, where the package is installed (Chadebec et al. 2022), and
  pythae-kept: the same with freed memory kept in the process, as our trainer keeps it;
- products: the matrix products alone of the layers, forward and backward; forward: those of the forward pass.

A dense step cannot be faster than ``products``, nor a sparse one than ``forward``: the last columns say what
the target against pythae would be at best on this machine.
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.items import Items
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
    model = VAE(config.model, Layout((NUM_PIXELS,)), generator=generator(0, "initialization"))
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

    ours = VAE(config.model, Layout((NUM_PIXELS,)), generator=generator(0, "initialization"))

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
    model = VAE(config.model, Layout((NUM_PIXELS,)), generator=generator(0, "initialization"))
    optimization = Optimization(config, model, Items(images))

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


def build(column: str, hidden: Sequence[int], latent: int, num_samples: int) -> Step:
    """What a column times."""
    torch.set_num_threads(1)
    if column not in ("plain", "pythae"):
        keep_freed_memory()
    source = torch.Generator().manual_seed(0)
    ink = torch.rand(NUM_IMAGES, NUM_PIXELS, generator=source) < 0.2
    images = torch.randint(0, 256, ink.shape, generator=source, dtype=torch.uint8) * ink
    config = config_of(hidden, latent, num_samples, "sparse" if column == "sparse" else "dense")
    if column in ("products", "forward"):
        return products(config, backward=column == "products")
    if column in ("dense", "sparse"):
        return our_step(config, images)
    return plain_step(config, images) if column == "plain" else pythae_step(config, images)


Shape = tuple[Sequence[int], int, int]  # hidden widths, latents, samples


def serve(connection: Connection, column: str) -> None:
    """In a process of its own: told a shape, makes its step; told a number, answers seconds a step."""
    while (told := connection.recv()) is not None:
        if isinstance(told, tuple):
            step = build(column, *told)
            step()
            continue
        start = time.thread_time()
        for _ in range(told):
            step()
        connection.send((time.thread_time() - start) / told)


def measure(ends: dict[str, Connection], shape: Shape, seconds: float) -> dict[str, list[float]]:
    """Seconds of each column's step, in rounds; the first is left out."""
    found: dict[str, list[float]] = {column: [] for column in ends}

    def turn() -> None:
        for column, end in ends.items():
            end.send(max(1, 10 // shape[2]))
            found[column].append(end.recv())

    for end in ends.values():
        end.send(shape)
    turn()
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or len(found["dense"]) < 4:
        turn()
    return {column: values[1:] for column, values in found.items()}


RATIOS = (
    ("pythae", "dense"),
    ("pythae", "sparse"),
    ("pythae-kept", "dense"),
    ("pythae-kept", "sparse"),
    ("dense", "plain"),
    ("dense", "products"),
    ("sparse", "forward"),
    ("pythae", "products"),
    ("pythae", "forward"),
)


def report(found: dict[str, list[float]], num_samples: int) -> None:
    """A row of the medians, and one of the medians of ratios within a round."""
    times = ", ".join(f"{name} {1e3 * statistics.median(values):.1f}" for name, values in found.items())
    print(f"K = {num_samples}: {times}")
    ratios = [
        f"{above} / {below} "
        f"{statistics.median(a / b for a, b in zip(found[above], found[below], strict=True)):.2f}"
        for above, below in RATIOS
        if above in found
    ]
    print(f"    {', '.join(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 5, 20, 50, 100])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each row of the table")
    parser.add_argument("--shapes", nargs="+", default=["784-400-20", "784-200-200-50"])
    arguments = parser.parse_args()
    columns = ["dense", "sparse", "plain", "products", "forward"]
    if importlib.util.find_spec("pythae") is not None:
        columns += ["pythae", "pythae-kept"]
    context = multiprocessing.get_context("spawn")
    ends = {}
    for column in columns:
        ends[column], other = context.Pipe()
        context.Process(target=serve, args=(other, column)).start()
    for shape in arguments.shapes:
        pixels, *hidden, latent = map(int, shape.split("-"))
        assert pixels == NUM_PIXELS, shape
        print(f"{shape}, milliseconds (medians), then medians of the ratios within a round")
        for num_samples in arguments.samples:
            report(measure(ends, (hidden, latent, num_samples), arguments.seconds), num_samples)
    for end in ends.values():
        end.send(None)


if __name__ == "__main__":
    main()
