import math

import numpy as np
import pytest
import torch
from linear_gaussian import one_dimensional, pixels
from scipy import integrate, stats
from torch import nn

from iwae.gradient_snr import Moments, gradient_snr, snr_floor
from iwae.objectives import iwae_bound, log_weights


@pytest.mark.parametrize(("num_draws", "expected"), [(10, 0.27), (100, 0.08), (1000, 0.025)])
def test_floor_is_what_the_estimate_shows_around_zero(num_draws: int, expected: float) -> None:
    assert snr_floor(num_draws) == pytest.approx(expected, abs=0.007)
    density = stats.t(num_draws - 1).pdf
    mean, _ = integrate.quad(lambda t: 2 * t * density(t), 0, np.inf)
    assert snr_floor(num_draws) == pytest.approx(mean / math.sqrt(num_draws), rel=1e-6)


def test_moments_are_numpys_and_the_floor_is_taken_off_the_square() -> None:
    values = np.random.default_rng(0).normal(2, 1, size=(30, 5))
    moments = Moments(torch.zeros(5))
    for row in values:
        moments.add(torch.tensor(row))
    raw = values.mean(0) / values.std(0, ddof=1)
    np.testing.assert_allclose(moments.snr(), np.sqrt(raw**2 - 1 / 30))


def test_true_ratio_is_recovered_and_constant_gradients_are_left_out() -> None:
    source = torch.Generator().manual_seed(0)
    encoder, decoder = nn.Parameter(torch.zeros(4000)), nn.Parameter(torch.zeros(4001))
    constant = torch.cat((torch.ones(4000), torch.zeros(1)))

    def draw() -> torch.Tensor:
        noise = torch.randn(8001, generator=source)
        return (encoder * (0.5 + noise[:4000])).sum() + (decoder * constant * (2 + noise[4000:])).sum()

    got = gradient_snr({"encoder": [encoder], "decoder": [decoder]}, [draw] * 100, 100)
    assert got.encoder == pytest.approx(0.5, abs=0.01)
    assert got.decoder == pytest.approx(2.0, abs=0.03)
    assert got.floor == snr_floor(100)


def test_ratio_of_pure_noise_falls_below_the_floor() -> None:
    source, p = torch.Generator().manual_seed(0), nn.Parameter(torch.zeros(5000))
    still = nn.Parameter(torch.zeros(2))
    draws = [lambda: (p * torch.randn(5000, generator=source)).sum() + still.sum()] * 100
    got = gradient_snr({"encoder": [p], "decoder": [still]}, draws, 100)
    assert got.decoder == 0
    assert got.encoder < 0.5 * got.floor + 0.01


@pytest.mark.parametrize(("num_samples", "expected", "draws"), [(5, 0.241, 1_000_000), (50, 0.075, 200_000)])
def test_ratio_of_the_encoder_gradient_falls_with_k_as_published(
    num_samples: int, expected: float, draws: int
) -> None:
    # Every image of the batch is a draw: with a mean of its own for each, the gradient has one entry a draw.
    model = one_dimensional()
    x = pixels(draws)
    q = model.encode(x[:1])
    mean = q.mean.detach().expand(draws, 1).clone().requires_grad_()
    source = torch.Generator().manual_seed(3)
    posterior = q._replace(mean=mean, log_std=q.log_std.detach().expand(draws, 1))
    terms = model.log_densities(x, num_samples, generator=source, posterior=posterior)
    (gradient,) = torch.autograd.grad(iwae_bound(log_weights(terms)).sum(), mean)
    ratio = abs(gradient.mean().item()) / gradient.std().item()
    assert ratio == pytest.approx(expected, abs=0.006)
