import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from iwae.annealing import AnnealingSchedule, learning_rate
from iwae.config.optimizer import OptimizerConfig
from iwae.config.train import TrainConfig


def schedule(num_epochs: int = 20, beta: float = 1.0, **annealing: Any) -> AnnealingSchedule:
    values = {"annealing": annealing, "num_epochs": num_epochs, "objective": {"beta": beta}}
    return AnnealingSchedule(TrainConfig.parse(values))


def test_without_annealing_the_weight_is_beta() -> None:
    assert [schedule(name="none", beta=0.4)(t) for t in (0, 0.5, 1)] == [0.4] * 3


@pytest.mark.parametrize("time", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_ramps_have_their_closed_forms(time: float) -> None:
    fraction = time / 2  # ten of twenty epochs
    assert schedule(name="linear", warmup_epochs=10)(fraction) == pytest.approx(time)
    half_cosine = 0.5 * (1 - math.cos(math.pi * time))
    assert schedule(name="cosine", warmup_epochs=10)(fraction) == pytest.approx(half_cosine)
    low, high = expit(-6), expit(6)
    rescaled = (expit(12 * time - 6) - low) / (high - low)
    assert schedule(name="sigmoid", warmup_epochs=10)(fraction) == pytest.approx(rescaled, abs=1e-12)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
def test_ramps_reach_zero_and_one_exactly_and_stay(name: str) -> None:
    weight = schedule(name=name, warmup_epochs=10)
    assert weight(0.0) == 0.0
    assert [weight(t) for t in (0.5, 0.7, 1.0)] == [1.0, 1.0, 1.0]
    values = [weight(t) for t in np.linspace(0, 1, 101)]
    assert values == sorted(values)


def test_start_is_a_share_of_the_end_value() -> None:
    weight = schedule(name="linear", warmup_epochs=20, start=0.25, beta=2.0)
    assert [weight(t) for t in (0, 0.5, 1)] == pytest.approx([0.5, 1.25, 2.0])


def test_entropy_weight_ends_at_one_whatever_beta_is() -> None:
    weight = schedule(name="linear", warmup_epochs=20, target="entropy_weight", beta=3.0)
    assert weight.target == "entropy_weight"
    assert weight(1.0) == 1.0


def test_cyclical_ramps_start_again_and_end_at_the_end_value() -> None:
    weight = schedule(name="cyclical", cycles=4, ramp_share=0.5)
    fractions = [0, 0.0625, 0.125, 0.2499, 0.25, 0.3125, 0.75, 0.9999, 1.0]
    assert [weight(t) for t in fractions] == pytest.approx([0, 0.5, 1, 1, 0, 0.5, 0, 1, 1])


def test_learning_rate_of_stages_is_burdas() -> None:
    values = {
        "schedule": {
            "name": "stages",
            "epochs": [3**i for i in range(8)],
            "factors": [10 ** (-i / 7) for i in range(8)],
        }
    }
    config = OptimizerConfig.model_validate(values)
    epochs = [0, 1, 3, 4, 12, 13, 3279]
    rates = [learning_rate(config, epoch * 10 + 9, 10, 32_800) for epoch in epochs]
    assert rates == pytest.approx([1e-3 * 10 ** (-i / 7) for i in (0, 1, 1, 2, 2, 3, 7)])


def test_cosine_learning_rate_falls_to_its_final_factor_at_the_last_step() -> None:
    config = OptimizerConfig.model_validate({"schedule": {"name": "cosine", "final_factor": 0.1}})
    rates = [learning_rate(config, step, 10, 101) for step in (0, 50, 100)]
    assert rates == pytest.approx([1e-3, 0.55e-3, 0.1e-3])
    assert learning_rate(OptimizerConfig(), 99, 10, 100) == 1e-3
