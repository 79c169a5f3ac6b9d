"""Planted collapses that the alarm finds, and healthy runs that it blames.

    python tests/benchmarks/simulations/collapse.py [--healthy 100] [--planted 20]

Every run trains on scikit-learn's digits. *Planted*: β of 10 to 200, a fixed σ of the pixels that is larger
than they are, a decoder whose first layer is cut, or free bits with such a decoder. *Healthy*: K, latent
size, layers, annealing, free bits, likelihood, learning rate and seed vary, and the validation NLL is at
least a nat below that of independent pixels with the training means (and spread), which a decoder that hears
nothing cannot beat. The others are counted as *unclear*. The acceptance is all planted and no healthy one.
"""

import argparse
import itertools
import random
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table
from scipy import stats

from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset
from iwae.data.pixels import evaluation_pixels
from iwae.trainer.trainer import Trainer
from tracking.records.collapse import Kind, collapse

GRAY = {"data": {"binarization": "none"}, "model": {"likelihood": "gaussian"}}


def config(seed: int, **parts: Any) -> TrainConfig:
    """A run of a few seconds."""
    values: dict[str, Any] = {
        "data": {"name": "digits"},
        "model": {"hidden_dims": [64], "latent_dim": 10, "activation": "tanh"},
        "objective": {"num_samples": 1},
        "optimizer": {"lr": 3e-3},
        "num_epochs": 12,
        "evaluation": {
            "every": 12,
            "num_samples": 5,
            "final_num_samples": 10,
            "few_num_samples": 5,
            "snr_num_draws": 0,
        },
        "seed": seed,
        "device": "cpu",
    }
    for name, part in parts.items():
        values[name] = {**values[name], **part} if isinstance(values.get(name), dict) else part
    return TrainConfig.parse(values)


def healthy() -> Iterator[TrainConfig]:
    """Without end, every choice drawn by the run's number."""
    for seed in itertools.count():
        draw = random.Random(seed)
        k, latents = draw.choice([1, 5, 20]), draw.choice([2, 10, 40])
        annealing = draw.choice([{"name": "none"}, {"name": "linear", "warmup_epochs": 4}])
        kind = draw.choice([{}, GRAY])
        model = {
            "latent_dim": latents,
            "hidden_dims": draw.choice([[64], [128, 64]]),
            **kind.get("model", {}),
        }
        free = {"name": "vae", "free_bits": 0.1} if k == 1 and draw.random() < 0.3 else {}
        yield config(
            seed,
            data=kind.get("data", {}),
            model=model,
            annealing=annealing,
            objective={"num_samples": k, **free},
            optimizer={"lr": draw.choice([1e-3, 5e-3])},
        )


def planted() -> Iterator[tuple[TrainConfig, bool]]:
    """Without end: configurations, and whether the decoder is cut."""
    for seed in itertools.count():
        beta = (10, 30, 100, 200)[seed // 4 % 4]
        wide = {"model": {"likelihood": "gaussian", "observation_std": 3.0}, "data": {"binarization": "none"}}
        yield config(seed, objective={"beta": beta}), False
        yield config(seed, **wide), False
        yield config(seed), True
        yield config(seed, objective={"name": "vae", "free_bits": 0.5}), True


class Outcome(NamedTuple):
    """What is said of a run; its use of the code and what it gains on independent pixels, nats."""

    kind: Kind
    use: float
    gain: float


def independent_nll(trainer: Trainer) -> float:
    """Validation NLL of pixels that are independent, each with its training mean, nats."""
    train, x = (
        evaluation_pixels(part, trainer.config.data.binarization, split).double().numpy() / 255
        for part, split in ((trainer.dataset.train, "train"), (trainer.dataset.validation, "validation"))
    )
    if trainer.config.model.likelihood == "gaussian":
        spread = np.sqrt(np.square(train - train.mean(0)).mean())  # one σ, as the model has
        return float(-stats.norm(train.mean(0), spread).logpdf(x).sum(1).mean())
    mean = train.mean(0).clip(1e-3, 1 - 1e-3)
    return float(-stats.bernoulli(mean).logpmf(x).sum(1).mean())


def outcome(config: TrainConfig, *, cut: bool = False) -> Outcome:
    """Trains and asks."""
    trainer = Trainer(config, load_dataset(config.data))
    if cut:
        first = next(p for name, p in trainer.model.named_parameters() if name == "decoder.0.weight")
        with torch.no_grad():
            first.zero_()
        first.requires_grad_(False)
    list(trainer.epochs())
    final = trainer.finish()
    said = collapse(config, final)
    assert said is not None
    return Outcome(said.kind, final["val/decoder_use"], independent_nll(trainer) - final["val/nll_final"])


def main() -> int:
    """Prints the table; 1 where a planted collapse is missed or a healthy run blamed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--healthy", type=int, default=100)
    parser.add_argument("--planted", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    spoilt = list(itertools.islice(planted(), arguments.planted))
    found = [outcome(one, cut=cut) for one, cut in track(spoilt, "planted", console=console)]
    sound: list[Outcome] = []
    unclear: list[Outcome] = []
    with Progress(console=console) as progress:
        task = progress.add_task("healthy", total=arguments.healthy)
        for one in healthy():
            result = outcome(one)
            (sound if result.gain >= 1 else unclear).append(result)
            progress.update(task, completed=len(sound))
            if len(sound) == arguments.healthy:
                break
    table = Table(
        "runs", "number", "said to be unused", "use, nats: least", "most", "gain, nats: least", "most"
    )
    for name, outcomes in (("planted", found), ("healthy", sound), ("unclear", unclear)):
        if outcomes:
            unused = sum(one.kind is not Kind.NONE for one in outcomes)
            uses, gains = [one.use for one in outcomes], [one.gain for one in outcomes]
            ends = [f"{end:.3g}" for values in (uses, gains) for end in (min(values), max(values))]
            table.add_row(name, str(len(outcomes)), str(unused), *ends)
    console.print(table)
    missed = any(one.kind is Kind.NONE for one in found)
    return int(missed or any(one.kind is not Kind.NONE for one in sound))


if __name__ == "__main__":
    sys.exit(main())
