"""A linear model of two bytes, whose probabilities are integrals of a Gaussian density over squares."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.model.dequantization.dequantized import Dequantized
from iwae.objectives.bounds import elbo, iwae_bound, log_weights
from support.linear_gaussian import build

# The density changes within a byte's cell, whose side is 1/256.
W, B, STD = np.array([[0.004], [-0.003]]), np.array([0.5, 0.3]), 0.0015
BYTES = np.array([130, 75])


def model(kind: Literal["uniform", "variational"], std: float = STD) -> Dequantized:
    """With a posterior close to the true one at the middle of the cell."""
    precision = 1 + (W.T @ W).item() / std**2
    mean = W.T @ ((BYTES + 0.5) / 256 - B) / std**2 / precision
    inner = build(W, B, std, mean, np.array([1.2 / precision]))
    source = torch.Generator().manual_seed(0)
    return Dequantized(inner, variational=kind == "variational", generator=source).double()


def images(number: int) -> torch.Tensor:
    return torch.tensor(BYTES / 255).expand(number, 2)


def log_probability() -> float:
    """Of the two bytes: the Gaussian's integral over their cell."""
    covariance = W @ W.T + STD**2 * np.eye(2)
    low, high = BYTES / 256, (BYTES + 1) / 256
    return math.log(stats.multivariate_normal(B, covariance).cdf(high, lower_limit=low))


def trained_noise(made: Dequantized) -> Dequantized:
    """With q(u|x) trained on these bytes, the rest as it is: 40 steps along the signs of the gradient."""
    assert made.dequantizer is not None
    source, parameters = torch.Generator().manual_seed(1), list(made.dequantizer.parameters())
    for _ in range(40):
        terms = made.log_densities(images(32), 1, generator=source)
        found = torch.autograd.grad(elbo(log_weights(terms)).mean(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, found, strict=True):
                parameter += 0.01 * gradient.sign()
    return made


def bounds(made: Dequantized, num_samples: int, number: int) -> torch.Tensor:
    with torch.no_grad():
        source = torch.Generator().manual_seed(2)
        return iwae_bound(log_weights(made.log_densities(images(number), num_samples, generator=source)))


def test_bounds_are_below_the_probability_of_the_byte_and_reach_it_with_samples() -> None:
    exact = log_probability()
    made = model("uniform")
    one, many = bounds(made, 1, 20_000), bounds(made, 200_000, 1)
    assert one.mean().item() < exact - 0.1
    assert one.mean() < bounds(made, 10, 2_000).mean() < exact
    assert many.item() == pytest.approx(exact, abs=0.02)


def test_a_learned_density_within_the_cell_is_a_tighter_bound_and_still_one() -> None:
    exact = log_probability()
    uniform = bounds(model("uniform"), 1, 20_000).mean().item()
    made = trained_noise(model("variational"))
    learned = bounds(made, 1, 20_000).mean().item()
    assert uniform + 0.1 < learned < exact
    assert bounds(made, 200_000, 1).item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("kind", ["uniform", "variational"])
def test_the_encoder_runs_once_on_the_middle_of_the_cell(kind: Literal["uniform", "variational"]) -> None:
    made, seen = model(kind), []
    made.model.encoder.register_forward_hook(lambda *arguments: seen.append(arguments[1][0]))
    made.log_densities(images(3), 4, generator=torch.Generator().manual_seed(0))
    (x,) = seen
    np.testing.assert_allclose(x, np.tile((BYTES + 0.5) / 256, (3, 1)), rtol=1e-12)


def test_without_its_density_q_has_no_gradient_where_it_is_the_true_posterior() -> None:
    """Under a flat likelihood the u of a byte are uniform, as q's are at the start (Roeder et al. 2017)."""
    made = model("variational", std=1e3)
    assert made.dequantizer is not None
    parameters = list(made.dequantizer.parameters())

    def gradient(*, stop: bool) -> float:
        source = torch.Generator().manual_seed(0)
        terms = made.log_densities(images(1), 1, generator=source, stop_posterior=stop)
        found = torch.autograd.grad(log_weights(terms).sum(), parameters)
        return math.sqrt(sum(part.square().sum().item() for part in found))

    assert gradient(stop=False) > 0.1
    assert gradient(stop=True) < 1e-6


def test_pictures_are_in_the_units_of_the_bytes() -> None:
    made = model("uniform")
    np.testing.assert_allclose(
        made.decode(torch.zeros(1, 1, dtype=torch.float64)).detach(), (256 * B[None] - 0.5) / 255
    )
