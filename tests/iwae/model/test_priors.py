import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from iwae.config.layout import Layout
from iwae.config.model import MixturePrior, VAEConfig, VampPrior
from iwae.model.densities import Posterior
from iwae.model.priors import Mixture, PseudoInputs, StandardNormal
from iwae.model.vae import VAE

RNG = np.random.default_rng(0)
WEIGHT = np.array([0.2, 0.5, 0.3])
MEAN, STD = RNG.normal(size=(3, 2)) * 2, np.exp(RNG.normal(size=(3, 2)) * 0.5)
TRAIN = torch.randint(0, 256, (20, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def no_encoder(x: torch.Tensor) -> Posterior:
    raise AssertionError("this prior has no inputs")


def mixture() -> Mixture:
    prior = Mixture(3, 2, None).double()
    with torch.no_grad():
        prior.logits.copy_(torch.tensor(WEIGHT).log())
        prior.mean.copy_(torch.tensor(MEAN))
        prior.log_std.copy_(torch.tensor(STD).log())
    return prior


def test_a_mixtures_density_is_scipys() -> None:
    z = RNG.normal(size=(5, 4, 2)) * 3
    parts = stats.norm.logpdf(z[..., None, :], MEAN, STD).sum(-1)
    expected = special.logsumexp(np.log(WEIGHT) + parts, axis=-1)
    np.testing.assert_allclose(mixture().log_prob(torch.tensor(z), no_encoder).detach(), expected, rtol=1e-10)


def test_a_mixture_of_one_standard_component_is_the_standard_normal() -> None:
    z = torch.tensor(RNG.normal(size=(3, 4, 5)))
    one, normal = Mixture(1, 5, None).double(), StandardNormal(5)
    torch.testing.assert_close(one.log_prob(z, no_encoder), normal.log_prob(z, no_encoder))
    q = Posterior(torch.tensor(RNG.normal(size=(4, 5))), torch.tensor(RNG.normal(size=(4, 5)) * 0.3))
    torch.testing.assert_close(one.unit_kl(q, no_encoder), normal.unit_kl(q, no_encoder))


def test_draws_come_from_the_components_by_their_weights() -> None:
    prior = mixture()
    with torch.no_grad():
        prior.mean.copy_(torch.tensor([[-100.0, 0.0], [0.0, 0.0], [100.0, 0.0]]))
    draws = prior.sample(30_000, no_encoder, torch.Generator().manual_seed(0), torch.device("cpu"))
    component = (draws[:, 0] / 100).round().long() + 1
    observed = torch.bincount(component, minlength=3)
    assert stats.chisquare(observed.numpy(), 30_000 * WEIGHT).pvalue > 1e-3
    np.testing.assert_allclose(draws[component == 1].std(0).detach(), STD[1], rtol=0.03)


def test_the_kl_of_a_unit_is_the_integral_over_its_marginal() -> None:
    q = Posterior(torch.tensor([[0.7, -1.5]]).double(), torch.tensor([[-0.5, 0.2]]).double())
    got = mixture().unit_kl(q, no_encoder).detach()
    for d in range(2):
        density = stats.norm(q.mean[0, d].item(), math.exp(q.log_std[0, d].item()))

        def integrand(z: float, density: object = density, d: int = d) -> float:
            log_p = special.logsumexp(np.log(WEIGHT) + stats.norm.logpdf(z, MEAN[:, d], STD[:, d]))
            return float(density.pdf(z) * (density.logpdf(z) - log_p))  # type: ignore[attr-defined]

        expected, _ = integrate.quad(integrand, density.mean() - 12, density.mean() + 12, limit=200)
        assert got[0, d].item() == pytest.approx(expected, abs=1e-3)


def test_pseudo_inputs_start_as_training_items_and_their_prior_is_the_mean_of_the_posteriors() -> None:
    config = VAEConfig(hidden_dims=(4,), latent_dim=2, prior=VampPrior(name="vampprior", pseudo_inputs=5))
    source = torch.Generator().manual_seed(1)
    model = VAE(config, Layout((6,)), generator=source, train_pixels=TRAIN)
    assert isinstance(model.prior, PseudoInputs)
    rows = {tuple(row) for row in TRAIN.tolist()}
    started = (model.prior.inputs.detach() * 255).round().long()
    assert len({tuple(row) for row in started.tolist()} & rows) == 5
    z = torch.randn(3, 4, 2, generator=source)
    with torch.no_grad():
        q = model.encode(model.prior.inputs)
        got = model.prior.log_prob(z, model.encode)
    parts = stats.norm.logpdf(z.numpy()[..., None, :], q.mean.numpy(), q.log_std.exp().numpy()).sum(-1)
    np.testing.assert_allclose(got, special.logsumexp(parts, axis=-1) - math.log(5), rtol=1e-5)


@pytest.mark.parametrize("prior", [MixturePrior(name="mixture", components=3), VampPrior(name="vampprior")])
def test_a_vaes_reported_kl_is_the_mean_log_ratio_and_its_parameters_are_counted(
    prior: MixturePrior | VampPrior,
) -> None:
    config = VAEConfig(hidden_dims=(4,), latent_dim=2, prior=prior)
    layout = Layout((6,))
    model = VAE(config, layout, generator=torch.Generator().manual_seed(0), train_pixels=TRAIN)
    terms = model.log_densities(TRAIN[:3] / 255, 7, generator=torch.Generator().manual_seed(1))
    expected = (terms.log_q_z_given_x - terms.log_p_z).mean(0)
    torch.testing.assert_close(terms.kl.sum(-1), expected)
    assert config.floats(layout).parameters == sum(p.numel() for p in model.parameters())
    assert not config.analytic_kl
