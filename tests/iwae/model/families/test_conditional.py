from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from iwae.config.layout import Layout
from iwae.config.model import ConditionalConfig, VAEConfig
from iwae.config.train import TrainConfig
from iwae.errors import DataError
from iwae.model.families.conditional import Conditional
from iwae.model.vae import VAE
from iwae.model.weights import save_weights
from iwae.objectives.bounds import iwae_bound, log_weights
from iwae.randomness import generator
from iwae.trained import TrainedModel

SIZES = {"hidden_dims": (7,), "latent_dim": 2, "activation": "tanh"}
X, CLASSES = 9, 3


def model_of(classes: int = CLASSES, **sizes: object) -> Conditional:
    config = ConditionalConfig(name="conditional", **{**SIZES, **sizes})
    return Conditional(config, Layout((3, 3), classes), generator=torch.Generator().manual_seed(0))


def pixels(number: int = 5) -> torch.Tensor:
    return (torch.rand(number, X, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def told(x: torch.Tensor, label: int) -> torch.Tensor:
    return torch.cat((x, torch.eye(CLASSES)[label].expand(len(x), -1)), -1)


def test_told_nothing_it_is_the_vae_to_the_bit() -> None:
    plain = VAE(VAEConfig(**SIZES), Layout((3, 3)), generator=torch.Generator().manual_seed(0))
    model, noise = model_of(0), torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(2))
    found = []
    for one in (plain, model):
        terms = one.log_densities(pixels(), 4, noise=noise)
        gradients = torch.autograd.grad(iwae_bound(log_weights(terms)).sum(), list(one.parameters()))
        found.append([*terms[:4], *gradients, one.reconstruct(pixels()), one.sample(3, torch.Generator())])
    assert len(found[0]) == 14
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("label", range(CLASSES))
def test_log_p_given_the_class_is_the_integral_over_the_latent(label: int) -> None:
    model, x = model_of(latent_dim=1), pixels(1)
    grid = torch.linspace(-9, 9, 4001)[:, None]
    given = torch.eye(CLASSES)[label].expand(len(grid), -1)
    with torch.no_grad():
        logits = model.decoder(torch.cat((grid, given), -1)).double().numpy()
        terms = model.log_densities(told(x, label), 100_000, generator=torch.Generator().manual_seed(0))
    z = grid[:, 0].double().numpy()
    log_joint = (x.numpy() * logits - np.logaddexp(0, logits)).sum(-1) + stats.norm.logpdf(z)
    exact = np.log(integrate.trapezoid(np.exp(log_joint), z))
    assert iwae_bound(log_weights(terms)).item() == pytest.approx(exact, abs=0.01)


def test_probabilities_of_all_images_given_a_class_sum_to_one() -> None:
    model = model_of(latent_dim=1)
    images = torch.tensor([[float(n >> bit & 1) for bit in range(X)] for n in range(2**X)])
    for label in range(CLASSES):
        with torch.no_grad():
            terms = model.log_densities(told(images, label), 2000, generator=torch.Generator().manual_seed(0))
        total = iwae_bound(log_weights(terms)).double().exp().sum().item()
        assert total == pytest.approx(1, abs=0.01)


def test_another_class_is_another_posterior_and_another_likelihood() -> None:
    model, noise = model_of(), torch.zeros(1, 5, 2)
    one, other = (model.log_densities(told(pixels(), label), 1, noise=noise) for label in (0, 2))
    assert not torch.isclose(one.kl, other.kl).any()
    assert not torch.isclose(one.log_p_x_given_z, other.log_p_x_given_z).any()


def test_samples_are_of_the_classes_asked_for() -> None:
    """The decoder's first layer told z and y: with weights for y alone a class always looks the same."""
    model = model_of()
    with torch.no_grad():
        model.decoder[0].weight[:, :2] = 0
        in_turn = model.sample(5, torch.Generator())
        asked = model.sample(2, torch.Generator(), torch.eye(CLASSES)[[1, 1]])
    torch.testing.assert_close(in_turn[0], in_turn[3])
    assert not torch.isclose(in_turn[0], in_turn[1]).any()
    torch.testing.assert_close(asked, in_turn[[1, 4]])


def test_units_do_not_count_the_attributes_and_codes_have_them() -> None:
    model, x = model_of(), told(pixels(), 1)
    posterior = model.encode(x)
    assert model.unit_means(posterior).shape == model.unit_kl(posterior).shape == (5, 2)
    torch.testing.assert_close(model.codes(posterior), torch.cat((model.unit_means(posterior), x[:, X:]), -1))
    assert model.reconstruct(x).shape == (5, X)


def test_told_attributes_of_the_file_it_is_asked_with_attributes_and_never_with_classes(
    tmp_path: Path,
) -> None:
    config = TrainConfig.parse({"data": {"name": "digits"}, "model": {"name": "conditional", **SIZES}})
    layout = Layout((3, 3), CLASSES, attributes_are_classes=False)
    model = Conditional(config.model, layout, generator=torch.Generator().manual_seed(0))
    save_weights(model, config, tmp_path / "model.safetensors")
    trained = TrainedModel.load(tmp_path)
    assert trained.model.layout == layout
    numbers = [0.2, -1.5, 0.7]
    samples = trained.sample(2, seed=3, label=numbers)
    z = torch.randn(2, 2, generator=generator(3, "samples"))
    with torch.no_grad():
        expected = model.decode(torch.cat((z, torch.tensor(numbers).expand(2, -1)), -1))
    np.testing.assert_allclose(samples, expected, rtol=1e-6)
    for label in (None, 1):
        with pytest.raises(ValueError, match=f"label: {label} is not allowed: must be the 3 attributes"):
            trained.sample(2, label=label)
    with pytest.raises(DataError, match=r"must be \[5, 3\]"):
        trained.log_likelihood(pixels(), 1, labels=np.zeros(5, dtype=int))
    assert trained.log_likelihood(pixels(), 1, labels=np.tile(numbers, (5, 1))).shape == (5,)


def test_parameters_are_counted_with_what_it_is_told() -> None:
    model = model_of()
    floats = model.config.floats(model.layout)
    assert floats.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert model.config.flops(model.layout) == (2.0 * (12 * 7 + 7 * 4), 2.0 * (5 * 7 + 7 * 9))


@pytest.mark.parametrize("networks", ["mlp", "conv"])
def test_networks_of_any_kind_are_told_the_class_and_their_parameters_are_foretold(networks: str) -> None:
    model = model_of(networks=networks, hidden_dims=(4,))
    assert model.config.floats(model.layout).parameters == sum(p.numel() for p in model.parameters())
    one, other = (model.reconstruct(told(pixels(), label)) for label in (0, 2))
    assert not torch.isclose(one, other).any()
    one, other = (model.unit_means(model.encode(told(pixels(), label))) for label in (0, 2))
    assert not torch.isclose(one, other).any()
