"""A chain of Gaussians whose posterior is a chain of Gaussians too: log p(x) and every KL are known.

z2 ~ N(0, I), z1 | z2 ~ N(A z2 + a, V), x | z1 ~ N(W z1 + b, s²), A and V diagonal and the columns of W
orthogonal, so that no two units of a layer depend on each other given what a layer's density is told.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.config.layout import Layout
from iwae.config.model import TwoLayerConfig
from iwae.evaluation.evaluation import active_units
from iwae.model.families.two_layer import TwoLayer
from iwae.objectives.bounds import elbo, iwae_bound, log_weights

D1, D2, X = 3, 2, 5


class Chain(NamedTuple):
    A: np.ndarray
    a: np.ndarray
    V: np.ndarray
    W: np.ndarray
    b: np.ndarray
    std: float

    @property
    def z1_variance(self) -> np.ndarray:
        return np.diag(self.A @ self.A.T) + self.V

    def log_p(self, x: np.ndarray) -> np.ndarray:
        covariance = self.W @ np.diag(self.z1_variance) @ self.W.T + self.std**2 * np.eye(X)
        return np.asarray(stats.multivariate_normal.logpdf(x, self.W @ self.a + self.b, covariance))

    def posterior(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Matrix and offset of E[z1|x], variances of z1 given x."""
        variance = 1 / (1 / self.z1_variance + np.square(self.W).sum(0) / self.std**2)
        matrix = variance[:, None] * self.W.T / self.std**2
        return matrix, variance * self.a / self.z1_variance - matrix @ self.b, variance

    def inner_posterior(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Matrix and offset of E[z2|z1], variances of z2 given z1."""
        variance = 1 / (1 + (self.A**2 / self.V[:, None]).sum(0))
        matrix = variance[:, None] * self.A.T / self.V
        return matrix, -matrix @ self.a, variance


def chain(outer: tuple[float, ...] = (1.5, 0.8, 0.6), inner: tuple[float, ...] = (1.2, -0.7)) -> Chain:
    """A weight of 0 makes a unit of z1 (``outer``) or of z2 (``inner``) say nothing."""
    random = np.random.default_rng(0)
    A = np.zeros((D1, D2))
    np.fill_diagonal(A, inner)
    W = np.linalg.qr(random.normal(size=(X, D1)))[0] * outer
    return Chain(A, random.normal(size=D1), np.array([0.5, 0.3, 0.8]), W, random.normal(size=X), 0.7)


def model_of(chain: Chain, shift: float = 0.0, wider: float = 1.0) -> TwoLayer:
    """The chain with its own posterior, whose means are shifted and whose variances are multiplied."""
    config = TwoLayerConfig(
        name="two-layer",
        hidden_dims=(),
        first_latent_dim=D1,
        latent_dim=D2,
        latent_hidden_dims=(),
        likelihood="gaussian",
        observation_std=chain.std,
    )
    model = TwoLayer(config, Layout((X,))).double()

    def heads(layer: torch.nn.Module, matrix: np.ndarray, offset: np.ndarray, variance: np.ndarray) -> None:
        layer.weight.copy_(torch.tensor(np.vstack([matrix, np.zeros_like(matrix)])))
        layer.bias.copy_(torch.tensor(np.concatenate([offset, np.log(variance)])))

    with torch.no_grad():
        matrix, offset, variance = chain.posterior()
        heads(model.encoder[0], matrix, offset + shift, variance * wider)
        matrix, offset, variance = chain.inner_posterior()
        heads(model.latent_encoder[0], matrix, offset - shift, variance * wider)
        heads(model.latent_decoder[0], chain.A, chain.a, chain.V)
        model.decoder[0].weight.copy_(torch.tensor(chain.W))
        model.decoder[0].bias.copy_(torch.tensor(chain.b))
    return model


def items(number: int = 4) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(1).normal(size=(number, X)) * 2)


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_with_the_posterior_itself_every_log_weight_is_log_p() -> None:
    x = items()
    with torch.no_grad():
        log_w = log_weights(model_of(chain()).log_densities(x, 7, generator=source()))
    np.testing.assert_allclose(log_w, np.broadcast_to(chain().log_p(x.numpy()), (7, 4)), atol=1e-6)


def kl_of_chains(shift: float, wider: float) -> float:
    """KL(q(z1, z2|x) ‖ p(z1, z2|x)) = E[KL of z1] + E[KL of z2 given z1]: the same for every x."""

    def kl(mean: np.ndarray, variance: np.ndarray) -> float:
        return float(0.5 * (wider - 1 - math.log(wider) + mean**2 / variance).sum())

    _, _, outer = chain().posterior()
    _, _, inner = chain().inner_posterior()
    return kl(np.full(D1, shift), outer) + kl(np.full(D2, -shift), inner)


def test_elbo_of_another_posterior_is_lower_by_its_kl_and_more_samples_close_the_gap() -> None:
    x = items(1)
    model, exact = model_of(chain(), shift=0.2, wider=1.4), float(chain().log_p(x.numpy()))
    with torch.no_grad():
        log_w = log_weights(model.log_densities(x, 400_000, generator=source()))
    gap = kl_of_chains(0.2, 1.4)
    assert gap > 0.3
    assert elbo(log_w).item() == pytest.approx(exact - gap, abs=0.01)
    bounds = [iwae_bound(log_w.reshape(k, -1)).mean().item() for k in (1, 5, 50)]
    assert exact - gap - 0.01 < bounds[0] < bounds[1] - 0.05
    assert bounds[1] < bounds[2] - 0.01
    assert bounds[2] < exact
    assert iwae_bound(log_w).item() == pytest.approx(exact, abs=0.01)


def test_kl_that_is_reported_is_between_joint_densities() -> None:
    x = items(3)
    with torch.no_grad():
        terms = model_of(chain(), 0.2, 1.4).log_densities(x, 100_000, generator=source())
        reconstruction = terms.log_p_x_given_z.mean(0)
    expected = reconstruction - torch.tensor(chain().log_p(x.numpy()) - kl_of_chains(0.2, 1.4))
    torch.testing.assert_close(terms.kl.sum(-1), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("stop", [False, True])
def test_at_the_posterior_only_the_score_moves_the_encoder(stop: bool) -> None:
    """There log w is constant in z, so that no path leads anywhere (Roeder et al. 2017), in either layer."""
    model = model_of(chain())
    terms = model.log_densities(items(), 1, generator=source(), stop_posterior=stop)
    encoders = [*model.encoder.parameters(), *model.latent_encoder.parameters()]
    found = torch.autograd.grad(log_weights(terms).sum(), encoders)
    largest = [gradient.abs().max().item() for gradient in found]
    assert max(largest) < 1e-5 if stop else min(largest) > 0.1


def test_gradient_by_the_path_has_the_mean_of_the_whole_one() -> None:
    model, x = model_of(chain(), 0.2, 1.4), items(1).expand(100_000, -1)
    parameters = list(model.parameters())

    def gradient(stop: bool) -> torch.Tensor:
        terms = model.log_densities(x, 1, generator=source(), stop_posterior=stop)
        return torch.cat(
            [g.flatten() for g in torch.autograd.grad(elbo(log_weights(terms)).mean(), parameters)]
        )

    assert gradient(False).abs().max().item() > 1
    torch.testing.assert_close(gradient(True), gradient(False), atol=0.05, rtol=0)


def test_units_of_both_layers_have_their_posterior_means() -> None:
    model, x = model_of(chain()), items()
    means = model.unit_means(model.encode(x)).detach().numpy()
    matrix, offset, _ = chain().posterior()
    inner_matrix, inner_offset, _ = chain().inner_posterior()
    expected = x.numpy() @ matrix.T + offset
    np.testing.assert_allclose(means[:, :D1], expected, atol=1e-6)
    np.testing.assert_allclose(means[:, D1:], expected @ inner_matrix.T + inner_offset, atol=1e-6)


def test_spread_of_units_is_that_of_their_draws_in_both_layers() -> None:
    model, x = model_of(chain()), items(2)
    with torch.no_grad():
        stds = model.unit_stds(model.encode(x)).numpy()
    _, _, outer = chain().posterior()
    inner_matrix, _, inner = chain().inner_posterior()
    # Var(z2|x) = E[Var(z2|z1)] + Var(E[z2|z1]), z1 ~ q(z1|x).
    expected = np.sqrt([*outer, *(inner + np.diag(inner_matrix @ np.diag(outer) @ inner_matrix.T))])
    np.testing.assert_allclose(stds, np.broadcast_to(expected, (2, D1 + D2)), rtol=0.1)


def test_units_that_say_nothing_are_inactive_in_their_layer() -> None:
    model, x = model_of(chain(outer=(1.5, 0.8, 0), inner=(1.2, 0))), items(300)
    posterior = model.encode(x)
    outer, inner = model.unit_means(posterior).detach().split(model.config.layers, -1)
    assert (active_units(outer), active_units(inner)) == (2, 1)
    silent = model.unit_kl(posterior).detach()[:, [2, 4]]
    torch.testing.assert_close(silent, torch.zeros_like(silent), atol=1e-6, rtol=0)


def test_kl_of_units_sums_to_that_of_the_chain() -> None:
    x = items(200)
    model = model_of(chain())
    with torch.no_grad():
        units = model.unit_kl(model.encode(x)).sum(-1).mean().item()
        terms = model.log_densities(x, 2000, generator=source())
    # With the posterior itself log p(x) = E[log p(x|z1)] − KL.
    expected = (terms.log_p_x_given_z.mean(0) - torch.tensor(chain().log_p(x.numpy()))).mean().item()
    assert units == pytest.approx(expected, rel=0.03)


def test_samples_come_from_the_whole_chain() -> None:
    with torch.no_grad():
        samples = model_of(chain()).sample(40_000, source()).numpy()
    one = chain()
    np.testing.assert_allclose(samples.mean(0), one.W @ one.a + one.b, atol=0.03)
    np.testing.assert_allclose(np.cov(samples.T), one.W @ np.diag(one.z1_variance) @ one.W.T, atol=0.06)


def test_reconstruction_is_the_mean_at_the_mean_of_the_first_layer() -> None:
    x = items()
    matrix, offset, _ = chain().posterior()
    with torch.no_grad():
        found = model_of(chain()).reconstruct(x)
    expected = (x.numpy() @ matrix.T + offset) @ chain().W.T + chain().b
    np.testing.assert_allclose(found, expected, atol=1e-6)


CONFIG = TwoLayerConfig(
    name="two-layer", hidden_dims=(9, 8), first_latent_dim=4, latent_dim=2, latent_hidden_dims=(7,)
)
IMAGES = Layout((4, 3))


def small(config: TwoLayerConfig = CONFIG) -> TwoLayer:
    return TwoLayer(config, IMAGES, generator=source())


@pytest.mark.parametrize("stop", [False, True])
def test_samples_computed_a_second_time_give_the_same_densities_and_gradient(stop: bool) -> None:
    model, x = small(), (torch.rand(6, 12, generator=source(1)) < 0.5).float()
    noise = torch.randn(5, 6, 6, generator=source(2))

    def gradient(at_once: int) -> tuple[torch.Tensor, torch.Tensor]:
        model.activation_bytes = at_once * 6 * 4 * CONFIG.floats(IMAGES).sample
        bound = iwae_bound(log_weights(model.log_densities(x, 5, noise=noise, stop_posterior=stop)))
        found = torch.autograd.grad(bound.sum(), list(model.parameters()))
        return bound.detach(), torch.cat([g.flatten() for g in found])

    for whole, parts in zip(gradient(5), gradient(2), strict=True):
        torch.testing.assert_close(parts, whole)


def test_network_is_burdas() -> None:
    model = TwoLayer(TwoLayerConfig(name="two-layer", init="glorot"), Layout((28, 28)), generator=source())
    widths = {
        name: [
            (layer.in_features, layer.out_features) for layer in stack if isinstance(layer, torch.nn.Linear)
        ]
        for name, stack in model.named_children()
        if isinstance(stack, torch.nn.Sequential)
    }
    # Mean and log-variance are one layer of twice the width.
    assert widths == {
        "encoder": [(784, 200), (200, 200), (200, 200)],
        "latent_encoder": [(100, 100), (100, 100), (100, 100)],
        "latent_decoder": [(50, 100), (100, 100), (100, 200)],
        "decoder": [(100, 200), (200, 200), (200, 784)],
    }
    heads = {
        "encoder": (200, 100),
        "latent_encoder": (100, 50),
        "latent_decoder": (100, 100),
        "decoder": (200, 784),
    }
    for name, (inputs, outputs) in heads.items():
        last = getattr(model, name)[-1]
        assert last.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (inputs + outputs)), rel=1e-2)
        assert not last.bias.any()
