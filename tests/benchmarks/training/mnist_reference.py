"""Acceptance: −L_500 on MNIST against two independent implementations, about ten minutes on one core.

    IWAE_DATA_DIR=... OMP_NUM_THREADS=1 python tests/benchmarks/training/mnist_reference.py

784-400-20, ReLU, Adam 1e-3, batch 100, dynamic binarization, 50,000 training images, PyTorch's own
initialization, 5 epochs; measured on the first 2,000 test images, one Bernoulli sample of their pixels.
"""

import time

from iwae.config.train import TrainConfig
from iwae.trainer.trainer import Trainer

ALLOWED = 0.8  # nats: the references differ by a quarter, seeds and weights' first values do the rest
# (K, output bias): lowest and highest of the references, nats.
REFERENCES = {
    (1, "default"): (101.0, 101.25),
    (5, "default"): (99.8, 100.0),
    (50, "default"): (99.2, 99.35),
    (1, "train_mean"): (100.1, 100.1),
}


def measure(num_samples: int, output_bias: str) -> tuple[float, float, float]:
    """(−L_500, its standard error, training seconds)."""
    config = TrainConfig.parse(
        {
            "data": {"name": "mnist"},
            "model": {"output_bias": output_bias},
            "objective": {"name": "iwae", "num_samples": num_samples},
            "num_epochs": 5,
            "evaluation": {
                "every": 5,
                "final_num_samples": 500,
                "final_num_images": 2000,
                "snr_num_draws": 0,
            },
        }
    )
    trainer = Trainer(config)
    (*_, last) = trainer.epochs()
    final = trainer.finish()
    return final["test/nll"], final["test/nll_stderr"], last.metrics["time/train_seconds"]


def main() -> int:
    print(
        f"{'K':>3} {'output bias':>11} {'-L_500':>8} {'stderr':>7} {'references':>16} {'off by':>7}"
        f" {'train s':>8}"
    )
    failed = 0
    for (num_samples, output_bias), (low, high) in REFERENCES.items():
        nll, stderr, seconds = measure(num_samples, output_bias)
        off = max(low - nll, nll - high, 0.0) * (1 if nll > high else -1)
        good = abs(off) <= ALLOWED
        failed += not good
        print(
            f"{num_samples:>3} {output_bias:>11} {nll:>8.2f} {stderr:>7.2f} {low:>8.2f} {high:>7.2f}"
            f" {off:>7.2f} {seconds:>8.1f}  {'pass' if good else 'FAIL'}",
            flush=True,
        )
    print(time.strftime("finished %H:%M:%S"))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
