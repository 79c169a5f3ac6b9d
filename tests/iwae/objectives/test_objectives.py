import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from torch import Tensor

from iwae.config.objective import BoundConfig
from iwae.model.densities import LogDensities
from iwae.objectives.bound_objective import bound, objective
from iwae.objectives.bounds import analytic_elbo, elbo, iwae_bound, log_weights
from support.linear_gaussian import LOG_P, POSTERIOR_MEAN, POSTERIOR_VARIANCE, one_dimensional, pixels


def draw(num_samples: int, num_images: int, seed: int = 0) -> LogDensities:
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return one_dimensional().log_densities(pixels(num_images), num_samples, generator=source)


def random_terms(num_samples: int, num_images: int, latents: int = 3) -> LogDensities:
    source = torch.Generator().manual_seed(1)
    terms = [torch.randn(num_samples, num_images, generator=source).double() for _ in range(3)]
    return LogDensities(*terms, torch.rand(num_images, latents, generator=source).double())


def test_elbo_is_the_published_value_on_a_linear_gaussian_model() -> None:
    values = elbo(log_weights(draw(1, 1_000_000)))
    assert values.mean().item() == pytest.approx(-2.047420, abs=4 * values.std().item() / 1000)


def test_elbo_with_the_analytic_kl_has_the_same_mean_and_less_spread() -> None:
    terms = draw(1, 400_000)
    analytic, sampled = analytic_elbo(terms), elbo(log_weights(terms))
    assert analytic.mean().item() == pytest.approx(-2.047420, abs=4 * analytic.std().item() / 632)
    assert not torch.allclose(analytic, sampled)


@pytest.mark.parametrize(
    ("num_samples", "expected", "images"), [(5, -1.8240, 1_000_000), (50, -1.7854, 100_000)]
)
def test_iwae_bound_is_the_published_value(num_samples: int, expected: float, images: int) -> None:
    values = iwae_bound(log_weights(draw(num_samples, images)))
    stderr = values.std().item() / math.sqrt(images)
    assert values.mean().item() == pytest.approx(expected, abs=0.0003 + 4 * stderr)
    assert values.mean().item() < LOG_P


def test_bound_is_log_p_when_q_is_the_posterior() -> None:
    model = one_dimensional(POSTERIOR_MEAN, POSTERIOR_VARIANCE)
    log_w = log_weights(model.log_densities(pixels(20), 7, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(iwae_bound(log_w), torch.full((20,), LOG_P).double(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("num_samples", "inflation"), [(5, 0.175), (50, 0.204)])
def test_reported_bound_is_not_the_inflated_surrogate(num_samples: int, inflation: float) -> None:
    log_w = log_weights(draw(num_samples, 100_000))
    surrogate = (torch.softmax(log_w, 0) * log_w).sum(0)
    assert (surrogate - iwae_bound(log_w)).mean().item() == pytest.approx(inflation, abs=0.003)


def test_bound_at_one_sample_is_the_elbo() -> None:
    log_w = log_weights(random_terms(1, 8))
    torch.testing.assert_close(iwae_bound(log_w), elbo(log_w))


def test_bound_does_not_fall_in_k_on_nested_subsets_of_the_same_log_weights() -> None:
    log_w = log_weights(draw(8, 300_000)).numpy()
    means = []
    for size in (1, 2, 4, 8):
        subsets = torch.tensor(log_w.reshape(8 // size, size, -1)).transpose(0, 1)
        means.append(iwae_bound(subsets).mean().item())
    # Averaged over all subsets of equal size the order holds for any log-weights, not only in expectation.
    assert means == sorted(means)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-900, 900), min_size=1, max_size=20))
def test_bound_lies_between_the_mean_and_the_largest_log_weight(values: list[float]) -> None:
    log_w = torch.tensor(values, dtype=torch.float64)[:, None]
    got = iwae_bound(log_w).item()
    assert got == pytest.approx(logsumexp(values) - np.log(len(values)), abs=1e-9)
    assert elbo(log_w).item() - 1e-9 <= got <= max(values) + 1e-9


def test_bound_rises_when_the_largest_log_weights_are_far_below_what_exp_can_hold() -> None:
    log_w = torch.tensor([[-800.0], [-801.0]], requires_grad=True)
    value = iwae_bound(log_w)
    value.sum().backward()
    assert value.item() == pytest.approx(-800 + math.log1p(math.exp(-1)) - math.log(2), abs=1e-4)
    assert torch.isfinite(log_w.grad).all()  # type: ignore[arg-type]


def test_gradient_weighs_each_sample_by_its_normalized_weight_held_constant() -> None:
    log_w = torch.tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)
    (gradient,) = torch.autograd.grad(iwae_bound(log_w).sum(), log_w)
    values = log_w.detach().numpy()
    normalized = np.exp(values - logsumexp(values, axis=0))
    np.testing.assert_allclose(gradient.numpy(), normalized, atol=1e-12)


def test_gradient_of_the_mean_on_the_linear_gaussian_model_is_the_published_one() -> None:
    # Oracle 3: −.3089 ± .0020 with respect to μ at K = 5, through a surrogate whose weights are constant too.
    model = one_dimensional()
    terms = model.log_densities(pixels(400_000), 5, generator=torch.Generator().manual_seed(2))
    bias = model.encoder[0].bias
    log_w = log_weights(terms)
    (gradient,) = torch.autograd.grad(iwae_bound(log_w).mean(), bias, retain_graph=True)
    (surrogate,) = torch.autograd.grad((torch.softmax(log_w, 0).detach() * log_w).sum(0).mean(), bias)
    assert gradient[0].item() == pytest.approx(-0.3090, abs=0.006)
    torch.testing.assert_close(gradient, surrogate)


def test_loss_is_unchanged_when_the_batch_is_duplicated() -> None:
    terms = random_terms(4, 6)
    twice = LogDensities(*(torch.cat((t, t), 1) for t in terms[:3]), torch.cat((terms.kl, terms.kl)))
    for values in (
        {"name": "iwae"},
        {"name": "multi-sample-vae"},
        {"name": "vae"},
        {"name": "vae", "free_bits": 0.4},
    ):
        config = BoundConfig.model_validate(values)
        torch.testing.assert_close(objective(config, terms).mean(), objective(config, twice).mean())


def test_beta_scales_prior_and_posterior_inside_the_logarithm_and_entropy_weight_only_the_posterior() -> None:
    terms = random_terms(5, 2)
    p, prior, q = (t.numpy() for t in terms[:3])
    config = BoundConfig(name="iwae", num_samples=5)
    expected = logsumexp(p + 0.3 * (prior - q), axis=0) - np.log(5)
    np.testing.assert_allclose(objective(config, terms, beta=0.3).numpy(), expected, atol=1e-12)
    expected = logsumexp(p + prior - 0.3 * q, axis=0) - np.log(5)
    np.testing.assert_allclose(objective(config, terms, entropy_weight=0.3).numpy(), expected, atol=1e-12)


def test_multi_sample_vae_averages_the_logs_and_iwae_takes_the_log_of_the_average() -> None:
    terms = random_terms(6, 4)
    log_w = sum_of(terms)
    averaged = objective(BoundConfig(name="multi-sample-vae", num_samples=6), terms)
    np.testing.assert_allclose(averaged.numpy(), log_w.mean(0), atol=1e-12)
    importance = objective(BoundConfig(name="iwae", num_samples=6), terms)
    np.testing.assert_allclose(importance.numpy(), np.log(np.exp(log_w).mean(0)), atol=1e-12)


def test_reported_bound_ignores_weights_and_free_bits() -> None:
    terms = random_terms(1, 4)
    plain = BoundConfig(name="vae")
    weighted = BoundConfig(name="vae", beta=4.0, free_bits=2.0)
    torch.testing.assert_close(bound(weighted, terms), objective(plain, terms))
    assert not torch.allclose(objective(weighted, terms, beta=4.0), bound(weighted, terms))


def test_free_bits_bound_the_batch_mean_of_each_latent_from_below() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]])
    terms = LogDensities(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 2), kl)
    # Means .2 and 3: the first is lifted to .5, and both images bear it.
    assert analytic_elbo(terms, free_bits=0.5).tolist() == pytest.approx([-3.5, -3.5])
    assert analytic_elbo(terms, beta=2.0, free_bits=0.5).tolist() == pytest.approx([-7.0, -7.0])


def sum_of(terms: LogDensities) -> np.ndarray:
    p, prior, q = (t.numpy() for t in terms[:3])
    total: np.ndarray = p + prior - q
    return total


def test_objective_of_every_name_has_one_value_an_image() -> None:
    terms = random_terms(3, 5)
    for name in ("vae", "multi-sample-vae", "iwae"):
        value: Tensor = objective(BoundConfig.model_validate({"name": name, "num_samples": 3}), terms)
        assert value.shape == (5,)
