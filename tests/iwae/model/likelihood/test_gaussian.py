import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.model.likelihood import PixelStatistics
from iwae.model.likelihood.gaussian import Gaussian, gaussian_log_likelihood
from iwae.model.vae import VAE

STATISTICS = PixelStatistics(torch.tensor([0.5, 0.2, 0.0]).double(), torch.tensor([0.04, 0.01, 0.0]).double())


def test_every_feature_may_have_its_own_standard_deviation() -> None:
    rng = np.random.default_rng(0)
    mean, x, std = rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)), np.array([0.1, 1.0, 7.0])
    got = gaussian_log_likelihood(torch.tensor(mean), torch.tensor(x), torch.tensor(std).log())
    np.testing.assert_allclose(got, stats.norm.logpdf(x, mean, std).sum(-1), rtol=1e-10)


def test_every_sample_may_have_its_own_pixels() -> None:
    rng = np.random.default_rng(0)
    mean, x = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))
    got = gaussian_log_likelihood(
        torch.tensor(mean), torch.tensor(x), torch.tensor(0.3, dtype=torch.float64).log()
    )
    np.testing.assert_allclose(got, stats.norm.logpdf(x, mean, 0.3).sum(-1), rtol=1e-10)


def test_what_is_learned_starts_at_the_spread_of_the_data_and_no_lower_than_a_hundredth() -> None:
    shared, each = Gaussian(3, "learned"), Gaussian(3, "learned-per-feature")
    for likelihood in (shared, each):
        likelihood.start(torch.zeros(3), "default", STATISTICS)
    assert shared.log_std.exp().item() == pytest.approx(math.sqrt(0.05 / 3))
    np.testing.assert_allclose(each.log_std.detach().exp(), [0.2, 0.1, 0.01], rtol=1e-5)


def test_the_metric_is_the_mean_standard_deviation_and_a_learned_one_is_kept_above_its_floor() -> None:
    assert Gaussian(3, (0.1, 0.2, 0.6)).metrics() == {"model/observation_std": pytest.approx(0.3)}
    assert Gaussian(3, 0.25).metrics() == {"model/observation_std": pytest.approx(0.25)}
    learned = Gaussian(2, "learned-per-feature")
    with torch.no_grad():
        learned.log_std.copy_(torch.tensor([-30.0, 0.0]))
    assert learned.metrics()["model/observation_std"] == pytest.approx((math.exp(-7) + 1) / 2)


def test_draws_have_the_mean_and_the_standard_deviation() -> None:
    likelihood = Gaussian(2, (0.5, 2.0))
    uniform = torch.rand(40_000, 2, generator=torch.Generator().manual_seed(0))
    draws = likelihood.quantile(torch.tensor([1.0, -3.0]), uniform)
    np.testing.assert_allclose(draws.mean(0), [1, -3], atol=0.05)
    np.testing.assert_allclose(draws.std(0), [0.5, 2], rtol=0.02)


def test_the_ends_of_the_quantiles_are_finite() -> None:
    ends = Gaussian(2, 1.0).quantile(torch.zeros(2), torch.tensor([0.0, 1.0]))
    assert torch.isfinite(ends).all()
    assert float(ends[1]) == pytest.approx(-float(ends[0]), rel=1e-3)


def test_a_file_from_before_likelihoods_were_modules_is_read() -> None:
    model = VAE(VAEConfig(hidden_dims=(), latent_dim=1, likelihood="gaussian"), Layout((2,)))
    state = dict(model.state_dict())
    state.pop("likelihood.log_std")
    model.load_state_dict({**state, "observation_log_std": torch.tensor(-0.7)})
    assert model.likelihood.log_std.item() == pytest.approx(-0.7)
