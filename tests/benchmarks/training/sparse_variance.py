"""What the sparse backward pass adds to the gradient: no bias, and how much variance.

    OMP_NUM_THREADS=1 python tests/benchmarks/training/sparse_variance.py [--epochs 10] [--samples 50]
        [--draws 200]

Trains on real MNIST with the dense gradient, and stops at the beginning, in the middle and at the end. There
it compares, for M kept samples of an image, the estimate with the dense gradient of the same minibatch and
noise. The columns:

- added variance: E‖sparse − dense‖² over tr Var(dense) over minibatches and noise, which training has anyway;
- along the gradient: mean of ⟨sparse − dense, dense⟩ / ‖dense‖² with its standard error: 0 without bias;
- mean of all: n ‖mean(sparse − dense)‖² / mean ‖sparse − dense‖² over n draws of one minibatch: 1 without
  bias, n with nothing else;
- weight of the heaviest: Σ of the M − 1 largest normalized weights, mean over images.
"""

import argparse
from itertools import islice

import torch
from torch import Tensor

from iwae.config.objective import BoundConfig
from iwae.config.train import TrainConfig
from iwae.data.pixels import minibatch
from iwae.model.protocol import Model
from iwae.objectives.bounds import log_weights
from iwae.objectives.objective import Weights, build_objective
from iwae.trainer.trainer import Trainer

BATCH = 100
KEPT = (1, 2, 4, 8, 16)


def gradient(model: Model, x: Tensor, noise: Tensor, kept: int | None, source: torch.Generator) -> Tensor:
    """The gradient of a minibatch's mean objective, all parameters in one vector."""
    choice = {"name": "dense"} if kept is None else {"name": "sparse", "num_kept": kept}
    config = BoundConfig.model_validate({"num_samples": len(noise), "backward": choice})
    terms = build_objective(config).step_terms(model, x, Weights(), noise=noise, generator=source)
    found = torch.autograd.grad(terms.surrogates.encoder.mean(), list(model.parameters()))
    return torch.cat([part.flatten() for part in found])


def measure(trainer: Trainer, num_samples: int, draws: int) -> None:
    """Prints a row for each M, of the model as it is."""
    model, source = trainer.model, torch.Generator().manual_seed(1)
    images = trainer.dataset.train

    def drawn() -> tuple[Tensor, Tensor]:
        x = minibatch(images[torch.randperm(len(images), generator=source)[:BATCH]], "dynamic", source)
        return x, torch.randn(model.noise_shape(num_samples, BATCH), generator=source)

    dense = torch.stack([gradient(model, *drawn(), None, source) for _ in range(40)])
    spread = dense.var(0).sum()
    x, noise = drawn()
    exact = gradient(model, x, noise, None, source)
    with torch.no_grad():
        log_w = log_weights(model.log_densities(x, num_samples, noise=noise))
        heaviest = torch.softmax(log_w, 0).sort(0, descending=True).values.mean(1).cumsum(0)
    for kept in KEPT:
        total, squares, along = torch.zeros_like(exact), [], []
        for _ in range(draws):
            difference = gradient(model, x, noise, kept, source) - exact
            total += difference
            squares.append(difference.square().sum())
            along.append(difference @ exact / exact.square().sum())
        ratio = torch.stack(along)
        square = torch.stack(squares).mean()
        print(
            f"{trainer.epoch:6d} {kept:3d}   {square / spread:14.1%}   {ratio.mean():+10.4f} ± "
            f"{ratio.std() / draws**0.5:.4f}   {total.square().sum() / draws / square:11.2f}   "
            f"{heaviest[kept - 2] if kept > 1 else 0:10.1%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--hidden", type=int, nargs="+", default=[200])
    arguments = parser.parse_args()
    config = TrainConfig.parse(
        {
            "data": {"name": "mnist", "binarization": "dynamic"},
            "model": {"hidden_dims": arguments.hidden, "latent_dim": 20},
            "objective": {"num_samples": arguments.samples},
            "num_epochs": arguments.epochs,
            "evaluation": {"every": arguments.epochs},
            "threads": 1,
        }
    )
    trainer = Trainer(config)
    print(f"K={arguments.samples}, {arguments.draws} draws; the model is initialized by its data's mean")
    print(" epoch   M   added variance   along the gradient   mean of all   heaviest")
    measure(trainer, arguments.samples, arguments.draws)
    epochs = trainer.epochs()
    for count in (arguments.epochs // 2, arguments.epochs - arguments.epochs // 2):
        for epoch in islice(epochs, count):
            assert epoch.metrics["train/bound"] < 0
        measure(trainer, arguments.samples, arguments.draws)


if __name__ == "__main__":
    main()
