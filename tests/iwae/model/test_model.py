import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch.func import functional_call, grad, stack_module_state, vmap

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.model.likelihood.bernoulli import bernoulli_log_likelihood
from iwae.model.likelihood.gaussian import gaussian_log_likelihood
from iwae.model.vae import VAE
from iwae.objectives.bounds import elbo, iwae_bound, log_weights
from support.linear_gaussian import build

CONFIG = VAEConfig(hidden_dims=(12, 9), latent_dim=3, activation="elu")


def model_of(config: VAEConfig = CONFIG, pixels: int = 10, seed: int = 0) -> VAE:
    return VAE(config, Layout((pixels,)), generator=torch.Generator().manual_seed(seed))


def binary(images: int = 6, pixels: int = 10) -> torch.Tensor:
    return torch.randint(0, 2, (images, pixels), generator=torch.Generator().manual_seed(3)).float()


def test_prior_and_posterior_densities_are_scipys() -> None:
    model, x = model_of(), binary()
    noise = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mean, log_std = (part.numpy() for part in model.encode(x))
        terms = model.log_densities(x, 4, noise=noise)
    z = mean + np.exp(log_std) * noise.numpy()
    np.testing.assert_allclose(terms.log_p_z, stats.norm.logpdf(z).sum(-1), rtol=1e-5)
    expected = stats.norm.logpdf(z, mean, np.exp(log_std)).sum(-1)
    np.testing.assert_allclose(terms.log_q_z_given_x, expected, rtol=1e-5)


def test_bernoulli_likelihood_is_scipys_also_where_the_sigmoid_saturates() -> None:
    logits = torch.tensor(np.random.default_rng(0).normal(size=(3, 4, 37)) * 30, dtype=torch.float32)
    x = torch.randint(0, 2, (4, 37), generator=torch.Generator().manual_seed(0)).float()
    exact = logits.double().numpy()
    expected = (x.numpy() * exact - np.logaddexp(0, exact)).sum(-1)
    np.testing.assert_allclose(bernoulli_log_likelihood(logits, x), expected, rtol=2e-6)


def test_bernoulli_likelihood_of_moderate_logits_is_scipys() -> None:
    logits = torch.linspace(-4, 4, 101)[None, None]
    x = (torch.arange(101) % 2).float()[None]
    expected = stats.bernoulli.logpmf(x.numpy(), special.expit(logits.double().numpy()[0])).sum()
    assert bernoulli_log_likelihood(logits, x).item() == pytest.approx(expected, rel=1e-6)


def softplus(logits: torch.Tensor) -> torch.Tensor:
    """As minus the log-likelihood of black images."""
    return -bernoulli_log_likelihood(logits[None], torch.zeros_like(logits))[0]


@pytest.mark.parametrize("pixels", [1, 2, 7, 64, 97, 784, 1000])
def test_softplus_of_many_pixels_is_the_sum_of_softplus(pixels: int) -> None:
    logits = torch.randn(5, pixels, generator=torch.Generator().manual_seed(0)) * 20
    expected = np.logaddexp(0, logits.double().numpy()).sum(-1)
    np.testing.assert_allclose(softplus(logits), expected, rtol=1e-6, atol=1e-4)


def test_softplus_stays_finite_when_every_factor_is_a_half() -> None:
    assert softplus(torch.zeros(1, 4096)).item() == pytest.approx(4096 * math.log(2), rel=1e-5)


def test_bernoulli_gradient_is_pixel_minus_probability() -> None:
    logits = (torch.randn(2, 3, 17, generator=torch.Generator().manual_seed(0)) * 5).requires_grad_()
    x = binary(3, 17)
    (gradient,) = torch.autograd.grad((bernoulli_log_likelihood(logits, x) * 2).sum(), logits)
    expected = 2 * (x.numpy() - special.expit(logits.detach().double().numpy()))
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_gaussian_likelihood_is_the_full_density() -> None:
    mean, x = torch.randn(2, 3, 5), torch.rand(3, 5)
    got = gaussian_log_likelihood(mean, x, torch.tensor(math.log(0.3)))
    np.testing.assert_allclose(got, stats.norm.logpdf(x.numpy(), mean.numpy(), 0.3).sum(-1), rtol=1e-5)


def test_analytic_kl_is_the_integral() -> None:
    model, x = model_of(), binary(1)
    with torch.no_grad():
        q = model.encode(x)
    mean, std = q.mean[0, 0].item(), math.exp(q.log_std[0, 0].item())
    density = stats.norm(mean, std)

    def integrand(z: float) -> float:
        return float(density.pdf(z) * (density.logpdf(z) - stats.norm.logpdf(z)))

    expected, _ = integrate.quad(integrand, mean - 12 * std, mean + 12 * std)
    assert q.kl()[0, 0].item() == pytest.approx(expected, abs=1e-6)


def test_log_p_of_a_linear_model_in_several_dimensions_is_a_gaussian_density() -> None:
    rng = np.random.default_rng(5)
    W, b, std = rng.normal(size=(6, 3)), rng.normal(size=6), 0.7
    W[:, 1] += W[:, 0]  # correlated columns: no factorized posterior is the exact one
    x = rng.normal(size=6)
    precision = np.eye(3) + W.T @ W / std**2
    mean = np.linalg.solve(precision, W.T @ (x - b) / std**2)
    exact = stats.multivariate_normal.logpdf(x, b, W @ W.T + std**2 * np.eye(6))
    model = build(W, b, std, mean, 1 / np.diag(precision))  # the best factorized posterior
    images = torch.tensor(x)[None].expand(20_000, -1)
    with torch.no_grad():
        terms = model.log_densities(images, 50, generator=torch.Generator().manual_seed(0))
    log_w = log_weights(terms)
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert gap > 0.1
    assert elbo(log_w).mean().item() == pytest.approx(exact - gap, abs=0.01)
    bound = iwae_bound(log_w)
    assert exact - gap < bound.mean().item() < exact
    # A posterior as wide as the true one has weights of finite variance: all draws together give log p(x).
    wide = build(W, b, std, mean, 1.5 * np.diag(np.linalg.inv(precision)))
    with torch.no_grad():
        terms = wide.log_densities(images[:1], 1_000_000, generator=torch.Generator().manual_seed(0))
    assert iwae_bound(log_weights(terms)).item() == pytest.approx(exact, abs=0.01)


def test_log_p_of_a_bernoulli_decoder_with_one_latent_is_the_integral_on_a_grid() -> None:
    model = model_of(VAEConfig(hidden_dims=(8,), latent_dim=1, activation="tanh"), pixels=9)
    x = binary(1, 9)
    grid = np.linspace(-9, 9, 4001)
    with torch.no_grad():
        logits = model.decoder(torch.tensor(grid[:, None], dtype=torch.float32)).double().numpy()
        terms = model.log_densities(x, 200_000, generator=torch.Generator().manual_seed(0))
    log_joint = (x.numpy() * logits - np.logaddexp(0, logits)).sum(-1) + stats.norm.logpdf(grid)
    exact = np.log(integrate.trapezoid(np.exp(log_joint), grid))
    assert iwae_bound(log_weights(terms)).item() == pytest.approx(exact, abs=0.01)


def test_batch_of_different_images_equals_the_loop_over_single_images() -> None:
    model, x = model_of(), binary()
    noise = torch.randn(5, 6, 3, generator=torch.Generator().manual_seed(1))
    together = model.log_densities(x, 5, noise=noise)
    for i in range(6):
        alone = model.log_densities(x[i : i + 1], 5, noise=noise[:, i : i + 1])
        for one, many in zip(alone[:3], together[:3], strict=True):
            torch.testing.assert_close(one[:, 0], many[:, i])


@pytest.mark.parametrize("num_samples", [1, 7, 50])
def test_encoder_runs_once_a_batch_whatever_the_number_of_samples(num_samples: int) -> None:
    model, calls = model_of(), []
    model.encoder.register_forward_hook(lambda *arguments: calls.append(arguments[1][0].shape))
    model.log_densities(binary(), num_samples)
    assert calls == [(6, 10)]


def test_step_is_a_pure_function_so_that_stacked_models_have_the_gradients_of_each_alone() -> None:
    models, x = [model_of(seed=seed) for seed in range(3)], binary()
    noise = torch.randn(3, 4, 6, 3, generator=torch.Generator().manual_seed(1))

    def loss(parameters: dict[str, torch.Tensor], epsilon: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        terms = functional_call(Densities(models[0]), prefixed(parameters), (x, 4, epsilon))
        return -iwae_bound(log_weights(terms, beta)).mean()

    stacked, _ = stack_module_state(models)  # type: ignore[arg-type]
    betas = torch.tensor([0.2, 1.0, 2.0])
    together = vmap(grad(loss))(stacked, noise, betas)
    for i, model in enumerate(models):
        alone = -iwae_bound(log_weights(model.log_densities(x, 4, noise=noise[i]), betas[i])).mean()
        names = [name for name, _ in model.named_parameters()]
        for name, gradient in zip(names, torch.autograd.grad(alone, list(model.parameters())), strict=True):
            torch.testing.assert_close(together[name][i], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("num_samples", [1, 7, 40])
def test_likelihoods_of_stacked_models_are_those_of_each(num_samples: int) -> None:
    source = torch.Generator().manual_seed(0)
    logits = 30 * torch.randn(3, num_samples, 90, 120, generator=source)  # one sample 43 kB, a model 1.7 MB
    logits[1] *= 100  # beyond the range of products of probabilities
    x = (torch.rand(3, 90, 120, generator=source) < 0.5).float()
    together = vmap(bernoulli_log_likelihood)(logits, x)
    for many, one, pixels in zip(together, logits, x, strict=True):
        assert torch.equal(many, bernoulli_log_likelihood(one, pixels))


class Densities(torch.nn.Module):
    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor, num_samples: int, noise: torch.Tensor) -> object:
        return self.model.log_densities(x, num_samples, noise=noise)


def prefixed(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"model.{name}": value for name, value in parameters.items()}


def test_initialization_is_pytorchs_default_in_distribution_and_leaves_its_global_generator_alone() -> None:
    before = torch.get_rng_state()
    model = model_of(VAEConfig(), pixels=784)
    assert torch.equal(before, torch.get_rng_state())
    weight = model.encoder[0].weight.detach()
    assert weight.abs().max().item() == pytest.approx(1 / 28, rel=1e-3)
    assert weight.std().item() == pytest.approx(1 / 28 / math.sqrt(3), rel=0.01)
    assert model.encoder[0].bias.abs().max().item() == pytest.approx(1 / 28, rel=0.02)


def test_glorot_initialization_counts_the_heads_of_mean_and_variance_as_two_layers() -> None:
    model = model_of(VAEConfig(init="glorot", latent_dim=50, hidden_dims=(200,)), pixels=784)
    assert model.encoder[2].weight.abs().max().item() == pytest.approx(math.sqrt(6 / 250), rel=1e-3)
    assert model.encoder[0].weight.abs().max().item() == pytest.approx(math.sqrt(6 / 984), rel=1e-3)
    assert all(not layer.bias.any() for layer in (model.encoder[0], model.encoder[2], model.decoder[2]))


def test_output_bias_is_the_logit_of_the_clipped_training_mean() -> None:
    pixels = torch.tensor([[0, 255, 255], [0, 255, 0]], dtype=torch.uint8)
    config = VAEConfig(output_bias="train_mean", hidden_dims=(4,))
    model = VAE(config, Layout((3,)), generator=torch.Generator(), train_pixels=pixels)
    expected = special.logit([0.001, 0.999, 0.5])
    np.testing.assert_allclose(model.decoder[-1].bias.detach(), expected, atol=1e-5)


def test_learned_observation_std_starts_at_the_spread_of_the_training_pixels() -> None:
    pixels = torch.tensor([[0, 255], [255, 255]], dtype=torch.uint8)
    config = VAEConfig(likelihood="gaussian", hidden_dims=(4,))
    model = VAE(config, Layout((2,)), generator=torch.Generator(), train_pixels=pixels)
    assert model.likelihood.log_std.exp().item() == pytest.approx(math.sqrt(0.125), rel=1e-6)


def test_decoder_may_have_other_widths_than_the_encoder() -> None:
    model = model_of(VAEConfig(hidden_dims=(12,), decoder_hidden_dims=(5, 6)))
    assert [layer.out_features for layer in model.decoder if isinstance(layer, torch.nn.Linear)] == [5, 6, 10]
    linear = model_of(VAEConfig(hidden_dims=(12,), decoder_hidden_dims=()))
    assert len(linear.decoder) == 1


@pytest.mark.parametrize("std", [1e-6, 1e-4, 9e-4, 0.3, 40.0])
def test_fixed_observation_std_is_used_as_it_is(std: float) -> None:
    model = VAE(
        VAEConfig(hidden_dims=(), latent_dim=1, likelihood="gaussian", observation_std=std), Layout((1,))
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    got = model.log_likelihood(torch.zeros(1, 1, 1), torch.tensor([[0.01]])).item()
    assert got == pytest.approx(stats.norm.logpdf(0.01, 0, std), rel=1e-5)
