import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.model.likelihood.discretized_logistic import (
    DiscretizedLogistic,
    discretized_logistic_log_likelihood,
)

BYTES = np.arange(256)
# Locations inside and far outside [0, 1], scales from a quarter of a byte to wider than the range.
CASES = [(0.3, -2.0), (0.3, -7.0), (0.5, 0.7), (-4.0, -3.0), (9.0, -4.0), (1.0, -5.0)]


def log_probabilities(location: float, log_scale: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Of every byte, ``[256]``."""
    x = torch.tensor(BYTES / 255, dtype=dtype)[:, None]
    output = torch.full((1, 256, 1), location, dtype=dtype)
    return discretized_logistic_log_likelihood(output, x, torch.tensor(log_scale, dtype=dtype))[0]


def scipys(location: float, log_scale: float) -> np.ndarray:
    """The same as differences of survival functions in float64, from the side where digits are kept."""
    logistic = stats.logistic(location, math.exp(log_scale))
    low, high = (BYTES - 0.5) / 255, (BYTES + 0.5) / 255
    low[0], high[-1] = -np.inf, np.inf
    left = high <= location
    upper = np.where(left, logistic.logcdf(high), logistic.logsf(low))
    lower = np.where(left, logistic.logcdf(low), logistic.logsf(high))
    result: np.ndarray = upper + np.log1p(-np.exp(lower - upper))
    return result


@pytest.mark.parametrize(("location", "log_scale"), CASES)
def test_probabilities_of_the_256_bytes_sum_to_one(location: float, log_scale: float) -> None:
    assert log_probabilities(location, log_scale).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("location", "log_scale"), CASES)
def test_they_are_scipys_and_finite_far_from_the_location(location: float, log_scale: float) -> None:
    expected = scipys(location, log_scale)
    assert expected.min() > -1e5
    np.testing.assert_allclose(log_probabilities(location, log_scale), expected, rtol=3e-5, atol=1e-4)


def test_the_gradient_is_that_of_the_values() -> None:
    x = torch.tensor([[0.0, 7 / 255, 0.5 * 2 / 255 * 51, 1.0]], dtype=torch.float64)
    output = torch.tensor([[[0.2, 0.1, 0.9, 0.7]]], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(-2.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda mean, scale: discretized_logistic_log_likelihood(mean, x, scale), (output, log_scale)
    )


def test_gradients_stay_finite_where_probabilities_are_below_float32s_range() -> None:
    output = torch.tensor([[[-50.0, 50.0, 0.5]]], requires_grad=True)
    x = torch.tensor([[1.0, 0.0, 0.0]])
    discretized_logistic_log_likelihood(output, x, torch.tensor(-7.0)).sum().backward()
    assert output.grad is not None
    assert bool(torch.isfinite(output.grad).all())


def test_a_predicted_scale_is_the_second_number_of_every_pixel() -> None:
    likelihood = DiscretizedLogistic("predicted")
    output = torch.tensor([[[0.2, 0.6, -2.0, -4.0]]])
    x = torch.tensor([[30 / 255, 150 / 255]])
    expected = scipys(0.2, -2.0)[30] + scipys(0.6, -4.0)[150]
    assert likelihood.log_prob(output, x).item() == pytest.approx(expected, rel=1e-5)
    # Each sample may have pixels of its own.
    both = likelihood.log_prob(output.expand(2, 1, 4), torch.stack((x, x.flip(-1))))
    assert both[0].item() == pytest.approx(expected, rel=1e-5)
    assert both[1].item() == pytest.approx(scipys(0.2, -2.0)[150] + scipys(0.6, -4.0)[30], rel=1e-5)


def test_draws_are_bytes_with_their_probabilities() -> None:
    likelihood = DiscretizedLogistic("learned")
    torch.nn.init.constant_(likelihood.log_scale, -1.5)
    uniform = torch.rand(40_000, 1, generator=torch.Generator().manual_seed(0))
    draws = likelihood.quantile(torch.tensor([0.9]), uniform).double() * 255
    np.testing.assert_allclose(draws, draws.round(), atol=1e-4)
    observed = np.bincount(draws.round().long().flatten().numpy(), minlength=256)
    expected = 40_000 * np.exp(scipys(0.9, -1.5))
    assert stats.chisquare(observed, expected * 40_000 / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize(("location", "log_scale"), [(0.3, -2.0), (0.98, -3.0), (0.02, -6.0), (0.5, 1.0)])
def test_the_mean_is_the_bytes_within_half_a_byte(location: float, log_scale: float) -> None:
    likelihood = DiscretizedLogistic("predicted")
    got = likelihood.mean(torch.tensor([[location, log_scale]])).item()
    assert got == pytest.approx((np.exp(scipys(location, log_scale)) * BYTES).sum() / 255, abs=0.5 / 255)
