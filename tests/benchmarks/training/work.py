"""How well the model of work fits one thread's seconds, and the constants that fit them best.

    python tests/benchmarks/training/work.py

CPU seconds of a training step and of an epoch's evaluation at K = 1, 5, 20, 50: the fastest of several, so
that other work on the machine counts little.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares

from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset
from iwae.trainer.trainer import Trainer
from sweeps.pace.work import ROW_WORK, STEP_WORK
from sweeps.plan.forecast import cost_of

BASES: dict[str, tuple[dict[str, Any], int]] = {
    "quickstart": (
        {"data": {"name": "digits"}, "model": {"hidden_dims": [64, 64], "latent_dim": 20}},
        16,
    ),
    "digits": ({"data": {"name": "digits"}}, 8),
    "mnist": (
        {
            "data": {"name": "mnist", "num_train": 1000, "num_validation": 500},
            "evaluation": {"num_samples": 50, "num_images": 100},
        },
        4,
    ),
}
K = (1, 5, 20, 50)


@dataclass(frozen=True)
class Point:
    """Something that was timed: dense operations, rows and steps of it, and its seconds."""

    what: str
    num_samples: int
    flops: float
    rows: float
    steps: float
    seconds: float

    def work(self, row_work: float, step_work: float) -> float:
        """As `sweeps.pace.work` counts it."""
        return self.flops + row_work * self.rows + step_work * self.steps


def timed(method: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    """The method, which notes its CPU seconds."""

    def run(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return method(*args, **options)
        finally:
            into.append(time.process_time() - began)

    return run


def measure(name: str, num_samples: int) -> list[Point]:
    """A training step and an epoch's evaluation."""
    base, epochs = BASES[name]
    values = {**base, "objective": {"num_samples": num_samples}, "num_epochs": epochs, "device": "cpu"}
    config = TrainConfig.parse(values)
    trainer = Trainer(config, load_dataset(config.data))
    training: list[float] = []
    evaluation: list[float] = []
    trainer._train_epoch = timed(trainer._train_epoch, training)  # type: ignore[method-assign]
    trainer._evaluate = timed(trainer._evaluate, evaluation)  # type: ignore[method-assign]
    for _ in trainer.epochs():
        pass
    steps = trainer.steps // epochs
    cost, images = cost_of(config), len(trainer.dataset.train)
    settings = config.evaluation
    rows = min(settings.num_images or 10**9, len(trainer.dataset.validation)) * settings.num_samples
    decode = config.model.flops(trainer.dataset.layout).decode
    return [
        Point(
            name,
            num_samples,
            cost.training / epochs / steps,
            images * num_samples / steps,
            1,
            min(training) / steps,
        ),
        Point(f"{name}, evaluation", num_samples, rows * decode, rows, 0, min(evaluation)),
    ]


def fit(points: list[Point]) -> tuple[float, float, float]:
    """Operations a second, work of a row and of a step, by least squares of the seconds' logarithms."""

    def residuals(parameters: Any) -> Any:
        rate, row_work, step_work = np.exp(parameters)
        return [np.log(point.work(row_work, step_work) / rate / point.seconds) for point in points]

    rate, row_work, step_work = np.exp(least_squares(residuals, np.log([5e10, ROW_WORK, STEP_WORK])).x)
    return float(rate), float(row_work), float(step_work)


def main() -> None:
    """Print measured and forecast seconds, each relative to K = 1."""
    torch.set_num_threads(1)
    points = [point for name in BASES for k in K for point in measure(name, k)]
    table = Table("what", "K", "ms", "against K=1", "forecast")
    for point in sorted(points, key=lambda point: (point.what, point.num_samples)):
        first = next(one for one in points if one.what == point.what and one.num_samples == 1)
        forecast = point.work(ROW_WORK, STEP_WORK) / first.work(ROW_WORK, STEP_WORK)
        ratio = point.seconds / first.seconds
        table.add_row(
            point.what,
            str(point.num_samples),
            f"{1000 * point.seconds:.2f}",
            f"{ratio:.2f}",
            f"{forecast:.2f}",
        )
    console = Console(width=100)
    console.print(table)
    rate, row_work, step_work = fit(points)
    console.print(
        f"best fit: {rate:.2g} operations/s, a row {row_work:.2g} (here {ROW_WORK:.2g}),"
        f" a step {step_work:.2g} (here {STEP_WORK:.2g})",
        highlight=False,
    )


if __name__ == "__main__":
    main()
