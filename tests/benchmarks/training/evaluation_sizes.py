"""What the number of importance samples of the final −L buys: bias, errors and seconds.

    OMP_NUM_THREADS=1 IWAE_DATA_DIR=... python tests/benchmarks/training/evaluation_sizes.py [MODEL ...]
        [--samples 100 500 1000 5000] [--images 100] [--reference 50000]

Each MODEL is a trial's ``model.safetensors``; without one, K = 1 and K = 50 are trained first (784-400-20,
10,000 images of MNIST, 6 epochs). The first test images are evaluated; every K is repeated with fresh noise
until its repeats have as many samples as the largest K. The columns:

- −L_K: mean over repeats, in nats;
- bias: −L_K less −L at ``--reference`` samples of the same images, ± the standard error of that difference
  over noise and images; the reference's own bias is smaller by the ratio of the samples;
- noise: Monte-Carlo standard error of −L_K on 10,000 images;
- images: standard error of −L_K over 10,000 images, which no number of samples makes smaller;
- seconds: CPU seconds of one thread for 10,000 images.
"""

import argparse
import math
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.data.load import load_dataset
from iwae.data.pixels import evaluation_pixels
from iwae.evaluation.evaluation import Evaluation, evaluate
from iwae.model.protocol import Model
from iwae.model.weights import load_trained
from iwae.trainer.machine import keep_freed_memory
from iwae.trainer.trainer import Trainer

ALL_IMAGES = 10_000
MNIST = {"name": "mnist", "binarization": "dynamic", "num_train": 10_000}


def trained(num_samples: int, dataset: Dataset) -> Model:
    """784-400-20 after six epochs."""
    config = TrainConfig.parse(
        {
            "data": MNIST,
            "model": {"hidden_dims": [400], "latent_dim": 20},
            "objective": {"num_samples": num_samples},
            "num_epochs": 6,
            "evaluation": {"every": 6, "num_images": 100},
            "threads": 1,
        }
    )
    trainer = Trainer(config, dataset)
    for _ in trainer.epochs():
        pass
    return trainer.model


def repeated(model: Model, images: Tensor, num_samples: int, repeats: int) -> list[Evaluation]:
    """Evaluations with noise of their own."""
    return [
        evaluate(model, Items(images), num_samples, purpose=f"{num_samples} samples, repeat {repeat}")
        for repeat in range(repeats)
    ]


def row(model: Model, images: Tensor, num_samples: int, repeats: int, reference: Evaluation) -> str:
    """A line of the table."""
    start = time.thread_time()
    found = repeated(model, images, num_samples, repeats)
    seconds = (time.thread_time() - start) / repeats / len(images) * ALL_IMAGES
    log_p = torch.stack([evaluation.log_p for evaluation in found])  # [repeats, N]
    lost = reference.log_p - log_p.mean(0)  # [N]
    errors = [evaluation.nll_mc_error for evaluation in found if evaluation.nll_mc_error is not None]
    noise = statistics.mean(errors) * math.sqrt(len(images) / ALL_IMAGES)
    spread = statistics.mean(evaluation.nll_stderr for evaluation in found)
    return (
        f"{num_samples:6d} {-float(log_p.mean()):9.3f} {float(lost.mean()):7.3f}"
        f" ± {float(lost.std()) / math.sqrt(len(images)):.3f} {noise:7.4f}"
        f" {spread * math.sqrt(len(images) / ALL_IMAGES):7.3f} {seconds:8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 500, 1000, 5000])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--reference", type=int, default=50_000, help="samples of what the bias is against")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as the trainer does
    dataset = load_dataset(TrainConfig.parse({"data": MNIST}).data)
    images = evaluation_pixels(dataset.test, "dynamic", "test")[: arguments.images]
    if arguments.models:
        models = {str(path): load_trained(path).model for path in arguments.models}
    else:
        models = {f"trained with K = {k}": trained(k, dataset) for k in (1, 50)}
    for name, model in models.items():
        reference = evaluate(model, Items(images), arguments.reference, purpose="reference")
        print(f"{name}: −L_{arguments.reference} {reference.nll:.3f}, mean ESS {reference.ess:.1f}")
        print(f"{'K':>6} {'−L_K':>9} {'bias':>7} {'':7} {'noise':>7} {'images':>7} {'seconds':>8}")
        for num_samples in arguments.samples:
            repeats = max(1, max(arguments.samples) // num_samples)
            print(row(model, images, num_samples, repeats, reference), flush=True)


if __name__ == "__main__":
    main()
