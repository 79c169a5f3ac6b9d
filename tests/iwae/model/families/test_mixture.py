import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from iwae.config.layout import Layout
from iwae.config.model import MixtureConfig
from iwae.config.train import TrainConfig
from iwae.data.sources.known_mixture import MIXTURE_2D
from iwae.errors import ConfigError
from iwae.model.families.mixture import Mixture

TRAIN, TEST = (torch.from_numpy(MIXTURE_2D.draw(500, name)) for name in ("train", "test"))
COVARIANCES = ("full", "tied", "diag", "spherical")


def built(covariance="full", number=3, train=TRAIN, **more):
    config = MixtureConfig(name="mixture", num_components=number, covariance=covariance, **more)
    return Mixture(config, Layout((train.shape[1],)), train_pixels=train)


def fitted(covariance="full", iterations=10, **more):
    model, source = built(covariance, **more), torch.Generator().manual_seed(0)
    for _ in range(iterations):
        model.fit_step(TRAIN, source)
    return model


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_iterations_are_those_of_scikit_learn_in_one_go(covariance):
    model = fitted(covariance)
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(0)))
    theirs = GaussianMixture(3, covariance_type=covariance, random_state=seed, max_iter=10, tol=0)
    theirs.fit(TRAIN.double().numpy())
    items = TEST.double().numpy()
    np.testing.assert_allclose(model.log_evidence(TEST).numpy(), theirs.score_samples(items), atol=1e-9)
    np.testing.assert_allclose(model.encode(TEST).numpy(), theirs.predict_proba(items), atol=1e-9)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_samples_are_from_the_density(covariance):
    model = fitted(covariance, iterations=5)
    samples = model.sample(40_000, torch.Generator().manual_seed(1)).double()
    factors = {
        "full": lambda scale, m: scale[m],
        "tied": lambda scale, m: scale,
        "diag": lambda scale, m: torch.diag(scale[m]),
        "spherical": lambda scale, m: scale[m] * torch.eye(2),
    }[covariance]
    covariances = [factors(model.scales, m).double() for m in range(3)]
    covariances = [factor @ factor.T for factor in covariances]
    density = sum(
        float(weight) * multivariate_normal(mean, cov).pdf(TEST.double().numpy())
        for weight, mean, cov in zip(model.weights, model.means.numpy(), covariances, strict=True)
    )
    np.testing.assert_allclose(model.log_evidence(TEST).numpy(), np.log(density), atol=1e-9)
    mean = (model.weights[:, None] * model.means).sum(0)
    second = sum(
        weight * (cov + torch.outer(mean, mean))
        for weight, mean, cov in zip(model.weights, model.means, covariances, strict=True)
    )
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(torch.cov(samples.T), second - torch.outer(mean, mean), atol=0.05)


def test_reconstruction_is_the_mean_of_means_by_responsibility():
    model = fitted(iterations=3)
    expected = model.encode(TEST).numpy() @ model.means.numpy()
    np.testing.assert_allclose(model.reconstruct(TEST).numpy(), expected, atol=1e-6)


def test_more_components_than_items_are_refused():
    with pytest.raises(ConfigError, match=r"model\.num_components: 501 is not allowed: must be <= the train"):
        built(number=501)


def test_a_component_without_spread_gets_one_line():
    same = torch.zeros(20, 2)
    same[10:] = 1.0
    model = built(number=2, train=same, min_variance=0.0)
    with pytest.raises(ConfigError, match=r"model\.min_variance: 0 is not allowed: must be larger"):
        model.fit_step(same, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["mixture", "pca"])
def test_binary_pixels_are_refused_by_the_field_that_can_be_changed(name):
    with pytest.raises(
        ConfigError, match=rf"^data\.binarization: dynamic .* none when model\.name is {name}$"
    ):
        TrainConfig.parse({"data": {"name": "digits"}, "model": {"name": name}})
