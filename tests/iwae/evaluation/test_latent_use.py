"""Whether a code is used: against closed forms, and on models that were made not to use it."""

import math

import pytest
import torch

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.data.items import Items
from iwae.evaluation.latent_use import ITEMS, latent_use, mutual_information
from iwae.model.densities import Posterior
from iwae.model.vae import VAE


def linear(latents: int = 1, std: float = 0.5) -> VAE:
    """x of one pixel; q(z|x) = N(x, σ²) in every latent and p(x|z) = N(Σ z, 1)."""
    config = VAEConfig(hidden_dims=(), latent_dim=latents, likelihood="gaussian", observation_std=1.0)
    model = VAE(config, Layout((1,)))
    with torch.no_grad():
        encoder, decoder = model.encoder[0], model.decoder[0]
        encoder.weight.copy_(torch.tensor([[1.0]] * latents + [[0.0]] * latents))
        encoder.bias.copy_(torch.tensor([0.0] * latents + [2 * math.log(std)] * latents))
        decoder.weight.fill_(1.0), decoder.bias.fill_(0.0)
    return model


def normal(number: int, std: float, seed: int = 0) -> Items:
    source = torch.Generator().manual_seed(seed)
    return Items(std * torch.randn(number, 1, generator=source))


@pytest.mark.parametrize("std", [0.3, 0.6, 0.9])
def test_mutual_information_where_the_aggregate_posterior_is_the_prior(std: float) -> None:
    # z ~ N(0, 1) and z|x ~ N(x, σ²): I = H(z) − H(z|x) = −log σ.
    items = normal(ITEMS, math.sqrt(1 - std**2))
    found = mutual_information(linear(std=std), items.inputs())
    assert found == pytest.approx(-math.log(std), abs=0.06)


def test_mutual_information_of_codes_that_are_all_alike_is_0_and_of_distinct_ones_is_log_n() -> None:
    alike = mutual_information(linear(), torch.zeros(40, 1))
    assert alike == pytest.approx(0, abs=1e-5)
    distinct = mutual_information(linear(std=0.01), torch.arange(40.0)[:, None])
    assert distinct == pytest.approx(math.log(40), abs=1e-5)


def test_kl_and_what_the_decoder_makes_of_the_code() -> None:
    std, items = 0.5, normal(ITEMS, 1.5)
    x = items.values.double().flatten()
    got = latent_use(linear(std=std), items)
    kl = 0.5 * (x.square().mean() + std**2 - 1) - math.log(std)
    assert got.kl == pytest.approx(float(kl), rel=1e-5)
    # ½ (E (x − z')² − E (x − z)²) with z' of the item before: ½ mean (x_i − x_{i−1})², the noise cancels.
    expected = 0.5 * float((x - x.roll(1)).square().mean())
    assert got.decoder_use == pytest.approx(expected, abs=4 * got.decoder_use_stderr / math.sqrt(4) + 0.1)
    assert 0 < got.decoder_use_stderr < 0.3


def test_a_decoder_without_weights_uses_nothing_though_the_code_says_much() -> None:
    model = linear(std=0.1)
    with torch.no_grad():
        model.decoder[0].weight.zero_()
    got = latent_use(model, normal(100, 2.0))
    assert (got.decoder_use, got.decoder_use_stderr) == (0, 0)
    assert got.kl > 1
    assert got.mutual_information is not None
    assert got.mutual_information > 1


def test_the_standard_deviations_are_those_of_the_posterior() -> None:
    model, x = linear(latents=3, std=0.7), torch.randn(5, 1, generator=torch.Generator().manual_seed(1))
    posterior = model.encode(x)
    assert isinstance(posterior, Posterior)
    torch.testing.assert_close(model.unit_stds(posterior), torch.full((5, 3), 0.7))
