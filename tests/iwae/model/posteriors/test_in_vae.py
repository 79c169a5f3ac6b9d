"""Posteriors inside the VAE: bounds against integrals, packs against models alone."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.config.part import parse
from iwae.model.vae import VAE
from iwae.objectives.bounds import elbo, iwae_bound, log_weights
from iwae.pack.stack import Stack

FLOWS = [{"name": "flow", "hidden": [7], "auxiliary": auxiliary} for auxiliary in (True, False)]


def vae(posterior: dict[str, Any], latent_dim: int = 2, seed: int = 0, **more: Any) -> VAE:
    """A small VAE of 9 binary pixels with random values everywhere."""
    values = {
        "hidden_dims": [8],
        "latent_dim": latent_dim,
        "activation": "tanh",
        "posterior": posterior,
        **more,
    }
    source = torch.Generator().manual_seed(seed)
    model = VAE(parse(VAEConfig, values), Layout((3, 3)), generator=source)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.normal_(0, 0.12, generator=source)
    return model


def binary(items: int) -> torch.Tensor:
    return torch.randint(0, 2, (items, 9), generator=torch.Generator().manual_seed(3)).float()


def exact_log_p(model: VAE, x: torch.Tensor) -> float:
    """By a sum over a grid of the two latents."""
    axis = np.linspace(-8, 8, 321)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    with torch.no_grad():
        logits = model.decoder(torch.tensor(z, dtype=torch.float32)).double().numpy()
    log_joint = (x.numpy() * logits - np.logaddexp(0, logits)).sum(-1) + stats.norm.logpdf(z).sum(-1)
    joint = np.exp(log_joint)
    return float(np.log(integrate.trapezoid(integrate.trapezoid(joint, axis), axis)))


@pytest.mark.parametrize("posterior", [*FLOWS, {"name": "gaussian", "std": 0.8}])
def test_bound_of_two_latents_is_below_the_integral_and_tends_to_it(posterior: dict[str, Any]) -> None:
    model, x = vae(posterior), binary(1)
    exact = exact_log_p(model, x)
    with torch.no_grad():
        terms = model.log_densities(x, 100_000, generator=torch.Generator().manual_seed(0))
    log_w = log_weights(terms)
    of_five = iwae_bound(log_w.reshape(5, -1)).mean().item()
    assert elbo(log_w).item() + 0.1 < of_five < exact - 0.02
    assert iwae_bound(log_w).item() == pytest.approx(exact, abs=0.02)


def test_fixed_std_is_that_of_every_latent_and_item() -> None:
    model, x = vae({"name": "gaussian", "std": 0.3}, latent_dim=4), binary(5)
    noise = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mean = model.encoder(x).numpy()
        terms = model.log_densities(x, 3, noise=noise)
    assert mean.shape == (5, 4)  # the encoder has nothing else to say
    z = mean + 0.3 * noise.numpy()
    np.testing.assert_allclose(
        terms.log_q_z_given_x, stats.norm.logpdf(z, mean, 0.3).sum(-1), rtol=1e-5, atol=1e-5
    )
    kl = 0.5 * (mean**2 + 0.09 - np.log(0.09) - 1)
    np.testing.assert_allclose(terms.kl, kl, rtol=1e-5)


@pytest.mark.parametrize("posterior", FLOWS)
@pytest.mark.parametrize("stopped", [False, True])
def test_models_packed_have_the_densities_and_gradients_of_each_alone(
    posterior: dict[str, Any], stopped: bool
) -> None:
    models, x = [vae(posterior, 3, seed) for seed in range(2)], binary(8)
    shape = models[0].noise_shape(5, 8)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    named = [dict(model.named_parameters()) for model in models]
    stacked = {
        name: torch.stack([parameters[name].detach() for parameters in named]).requires_grad_()
        for name in named[0]
    }
    stack = Stack(models[0], stacked, 2)
    halves = torch.cat((noise[:, :4], noise[:, 4:]), 1)
    packed = iwae_bound(log_weights(stack.log_densities(x, 5, noise=halves, stop_posterior=stopped)))
    together = torch.autograd.grad(packed.sum(), list(stacked.values()))
    for slot, model in enumerate(models):
        rows = slice(4 * slot, 4 * slot + 4)
        terms = model.log_densities(x[rows], 5, noise=noise[:, rows], stop_posterior=stopped)
        alone = iwae_bound(log_weights(terms))
        torch.testing.assert_close(packed[rows], alone)
        gradients = torch.autograd.grad(alone.sum(), list(named[slot].values()))
        for many, one in zip(together, gradients, strict=True):
            torch.testing.assert_close(many[slot], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("posterior", FLOWS)
def test_unit_that_the_encoder_ignores_has_the_same_mean_for_every_item(posterior: dict[str, Any]) -> None:
    model, x = vae(posterior, 4), binary(50)
    with torch.no_grad():
        model.encoder[-1].weight.zero_()
        means = model.unit_means(model.encode(x))
    assert means.var(0).max() < 1e-10  # the noise of the draws is not taken for activity
    assert model.unit_kl(model.encode(x)) is None


@pytest.mark.parametrize("posterior", [*FLOWS, {"std": 0.5}, {}])
@pytest.mark.parametrize("networks", ["mlp", "conv"])
def test_parameters_noise_and_widths_are_what_the_configuration_says(
    posterior: dict[str, Any], networks: str
) -> None:
    values = {"networks": networks, "hidden_dims": [8, 6], "posterior": posterior, "latent_dim": 4}
    config, layout = parse(VAEConfig, values), Layout((8, 8))
    model = VAE(config, layout, generator=torch.Generator().manual_seed(0))
    assert config.floats(layout).parameters == sum(p.numel() for p in model.parameters())
    assert model.noise_shape(2, 3) == (2, 3, config.floats(layout).noise)
    x = torch.ones(3, 64)
    assert model.log_densities(x, 2).log_p_z.shape == (2, 3)
    assert model.sample(5).shape == model.reconstruct(torch.ones(5, 64)).shape == (5, 64)


@pytest.mark.parametrize("posterior", FLOWS)
def test_flow_gets_closer_to_log_p_than_any_factorized_gaussian_can(posterior: dict[str, Any]) -> None:
    """On x | z ~ N(W z, s²) the posterior is correlated, and the best factorized Gaussian's gap is known."""
    W, std, x = np.array([[1.0, 0.9], [0.8, 1.0], [0.0, 0.1]]), 0.5, np.array([0.9, -0.4, 0.2])
    precision = np.eye(2) + W.T @ W / std**2
    exact = stats.multivariate_normal.logpdf(x, np.zeros(3), W @ W.T + std**2 * np.eye(3))
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    values = {"hidden_dims": [], "latent_dim": 2, "posterior": posterior, "activation": "tanh"}
    gaussian = {"likelihood": "gaussian", "observation_std": std}
    source = torch.Generator().manual_seed(0)
    model = VAE(parse(VAEConfig, {**values, **gaussian}), Layout((3,)), generator=source)
    with torch.no_grad():
        model.decoder[0].weight.copy_(torch.tensor(W))
        model.decoder[0].bias.zero_()
    for parameter in model.decoder.parameters():
        parameter.requires_grad_(False)
    items = torch.tensor(x, dtype=torch.float32)[None]
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.04)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -elbo(log_weights(model.log_densities(items, 32, generator=source))).sum()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        reached = elbo(log_weights(model.log_densities(items, 20_000, generator=source))).item()
    assert gap > 0.5
    assert exact - 0.3 * gap < reached < exact + 0.01
