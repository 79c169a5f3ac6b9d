import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from iwae.evaluation.gradient_snr import GradientSnr, Moments, gradient_snr, root_mean_snr
from iwae.evaluation.snr_floor import snr_floor
from iwae.objectives.bounds import iwae_bound, log_weights
from iwae.objectives.objective import Surrogates
from support.linear_gaussian import one_dimensional, pixels


def test_moments_are_numpys_and_what_noise_adds_is_taken_off_the_square() -> None:
    values = np.random.default_rng(0).normal(0.1, 1, size=(30, 50))
    moments = Moments(torch.zeros(50))
    for row in values:
        moments.add(torch.tensor(row))
    raw = values.mean(0) / values.std(0, ddof=1)
    # E of a squared, noncentral t: ν/(ν−2) (1 + N SNR²).
    expected = raw**2 * stats.f(1, 29).mean() ** -1 - 1 / 30
    np.testing.assert_allclose(moments.squared_snr(), expected)
    assert (moments.squared_snr() < 0).any()
    assert root_mean_snr([moments]) == pytest.approx(math.sqrt(expected.mean()))


@pytest.mark.parametrize("num_draws", [6, 10, 100])
def test_floor_of_one_parameter_is_a_quantile_of_the_squared_t(num_draws: int) -> None:
    nu = num_draws - 1
    squared = stats.f(1, nu).ppf(0.95) * (nu - 2) / nu - 1
    assert snr_floor(num_draws, 1.0) == pytest.approx(math.sqrt(squared / num_draws), rel=0.1)


def test_floor_of_many_independent_parameters_is_that_of_their_mean() -> None:
    # The mean over P of (ν−2)/ν t² − 1 is normal with the variance 2 (ν−1)/(ν−4) / P.
    nu, parameters = 99, 100_000
    deviation = math.sqrt(2 * (nu - 1) / (nu - 4) / parameters)
    expected = math.sqrt(stats.norm.ppf(0.95) * deviation / 100)
    assert snr_floor(100, parameters) == pytest.approx(expected, rel=0.01)


def shown(num_draws: int, directions: int, signal: float, source: torch.Generator) -> GradientSnr:
    """The ratio of 200 parameters whose noise has so many directions."""
    encoder, decoder = nn.Parameter(torch.zeros(200)), nn.Parameter(torch.zeros(2))
    mixed = torch.randn(directions, 200, generator=torch.Generator().manual_seed(directions))
    mixed /= mixed.norm(dim=0)

    def draw() -> Surrogates:
        noise = torch.randn(directions, generator=source) @ mixed
        objective = (encoder * (signal + noise)).sum() + decoder.sum()
        return Surrogates(objective, objective)

    return gradient_snr({"encoder": [encoder], "decoder": [decoder]}, [draw] * num_draws, num_draws)


@pytest.mark.parametrize("directions", [1, 20])
def test_without_a_signal_one_number_in_twenty_is_above_its_floor(directions: int) -> None:
    source = torch.Generator().manual_seed(1)
    numbers = [shown(30, directions, 0.0, source) for _ in range(300)]
    share = np.mean([number.encoder > number.encoder_floor for number in numbers])
    assert abs(share - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / 300)
    # More directions of noise average out: the floor of the number shown falls with them.
    floor = np.mean([number.encoder_floor for number in numbers])
    independent = 200 / (1 + 199 / directions)
    assert floor == pytest.approx(snr_floor(30, independent), rel=0.1)


def test_a_ratio_of_a_tenth_is_shown_as_a_tenth() -> None:
    source = torch.Generator().manual_seed(0)
    squares = [shown(100, 200, 0.1, source).encoder ** 2 for _ in range(30)]
    assert math.sqrt(np.mean(squares)) == pytest.approx(0.1, abs=0.005)


def test_true_ratio_is_recovered_and_constant_gradients_are_left_out() -> None:
    source = torch.Generator().manual_seed(0)
    encoder, decoder = nn.Parameter(torch.zeros(4000)), nn.Parameter(torch.zeros(4001))
    constant = torch.cat((torch.ones(4000), torch.zeros(1)))

    def draw() -> Surrogates:
        noise = torch.randn(8001, generator=source)
        parts = (encoder * (0.5 + noise[:4000])).sum(), (decoder * constant * (2 + noise[4000:])).sum()
        return Surrogates(*parts)

    got = gradient_snr({"encoder": [encoder], "decoder": [decoder]}, [draw] * 100, 100)
    assert got.encoder == pytest.approx(0.5, abs=0.01)
    assert got.decoder == pytest.approx(2.0, abs=0.03)
    assert 0 < got.encoder_floor < snr_floor(100, 2000)


def test_gradients_that_do_not_vary_have_no_ratio_and_no_floor() -> None:
    got = shown(10, 200, 0.0, torch.Generator().manual_seed(0))
    assert (got.decoder, got.decoder_floor) == (0, 0)


def test_the_fall_with_k_is_seen_with_a_thousand_draws() -> None:
    # The encoder of a digits model: .053 at K = 50 and .015 at K = 500.
    source = torch.Generator().manual_seed(0)
    large, small = (shown(1000, 100, signal, source) for signal in (0.053, 0.015))
    assert large.encoder > large.encoder_floor > small.encoder
    assert large.encoder == pytest.approx(0.053, abs=0.01)


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
