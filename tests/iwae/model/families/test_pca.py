import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn import decomposition
from sklearn.datasets import load_wine

from iwae.config.layout import Layout
from iwae.config.model import PCAConfig
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from iwae.model.families.pca import PCA
from iwae.trainer import Trainer

WINE = load_wine().data.astype(np.float32)
TRAIN, TEST = torch.from_numpy(WINE[::2].copy()), torch.from_numpy(WINE[1::2].copy())


def fitted(train, latent_dim, probabilistic=True):
    config = PCAConfig(name="pca", latent_dim=latent_dim, probabilistic=probabilistic)
    model = PCA(config, Layout((train.shape[1],)), train_pixels=train)
    model.fit_step(train, torch.Generator())
    return model


def closed_form(train, test, latent_dim):
    """Tipping & Bishop 1999, eq. 7 to 9, with the sample covariance divided by N − 1."""
    train, test = train.double().numpy(), test.double().numpy()
    values, vectors = np.linalg.eigh(np.cov(train.T))
    noise = values[:-latent_dim].mean()
    kept, directions = values[-latent_dim:], vectors[:, -latent_dim:]
    weights = directions * np.sqrt(kept - noise)
    covariance = weights @ weights.T + noise * np.eye(train.shape[1])
    return multivariate_normal(train.mean(0), covariance).logpdf(test)


@pytest.mark.parametrize("latent_dim", [1, 5, 12])
def test_likelihood_is_the_closed_form_and_scikit_learns(latent_dim):
    log_p = fitted(TRAIN, latent_dim).log_evidence(TEST).numpy()
    np.testing.assert_allclose(log_p, closed_form(TRAIN, TEST, latent_dim), rtol=0, atol=1e-6)
    theirs = decomposition.PCA(latent_dim, svd_solver="full").fit(TRAIN.double().numpy())
    np.testing.assert_allclose(log_p, theirs.score_samples(TEST.double().numpy()), rtol=0, atol=1e-6)


def test_with_fewer_items_than_numbers_the_variances_of_zero_count_too():
    few = TRAIN[::11] + torch.randn(TRAIN[::11].shape, generator=torch.Generator().manual_seed(0))
    assert len(few) < few.shape[1]
    log_p = fitted(few, 3).log_evidence(TEST).numpy()
    np.testing.assert_allclose(log_p, closed_form(few, TEST, 3), rtol=1e-9)


def test_codes_and_reconstructions_are_scikit_learns():
    model, theirs = fitted(TRAIN, 4, probabilistic=False), decomposition.PCA(4, svd_solver="full")
    scores = theirs.fit(TRAIN.double().numpy()).transform(TEST.double().numpy())
    np.testing.assert_allclose(model.unit_means(model.encode(TEST)).numpy(), scores, rtol=1e-6, atol=1e-4)
    items = theirs.inverse_transform(scores)
    np.testing.assert_allclose(model.reconstruct(TEST).numpy(), items, rtol=1e-6, atol=1e-4)


def test_later_epochs_leave_it_as_it_is():
    model = fitted(TRAIN, 4)
    before = {name: buffer.clone() for name, buffer in model.state_dict().items()}
    model.fit_step(TRAIN, torch.Generator())
    assert all(torch.equal(before[name], buffer) for name, buffer in model.state_dict().items())


def test_samples_are_spread_as_the_latents_say():
    model = fitted(TRAIN, 2)
    samples = model.sample(20_000, torch.Generator().manual_seed(0)).double().numpy()
    theirs = decomposition.PCA(2, svd_solver="full").fit(TRAIN.double().numpy())
    spread = np.sqrt(theirs.explained_variance_ - theirs.noise_variance_)
    np.testing.assert_allclose(theirs.transform(samples).std(0), spread, rtol=0.03)
    np.testing.assert_allclose(samples.mean(0), theirs.mean_, rtol=0.05)


@pytest.mark.parametrize(
    ("latent_dim", "probabilistic", "limit"),
    [
        (14, False, "must be <= 13, the numbers of an item"),
        (13, True, "must be < 13, the numbers of an item, with"),
    ],
)
def test_more_components_than_there_are_directions_are_refused(latent_dim, probabilistic, limit):
    with pytest.raises(ConfigError, match=limit):
        fitted(TRAIN, latent_dim, probabilistic)


def test_more_components_than_items_are_refused():
    with pytest.raises(ConfigError, match="must be <= 5, as there are 5 training items"):
        fitted(TRAIN[:5], 6, probabilistic=False)


def test_no_variance_outside_of_the_components_is_no_density():
    flat = torch.zeros(50, 4)
    flat[:, :2] = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ConfigError, match=r"model\.latent_dim: 2 is not allowed: must be smaller"):
        fitted(flat, 2)


@pytest.mark.parametrize("scaling", ["none", "standardize", "min-max"])
def test_nll_of_a_run_is_the_closed_form_in_the_datas_own_unit(scaling):
    config = TrainConfig.parse(
        {
            "data": {"name": "wine", "binarization": "none", "scaling": scaling},
            "model": {"name": "pca", "latent_dim": 3, "probabilistic": True},
            "num_epochs": 1,
            "device": "cpu",
        }
    )
    trainer = Trainer(config)
    list(trainer.epochs())
    final, data = trainer.final_evaluation(), trainer.dataset
    log_scale = 0.0 if data.scaling is None else np.log(data.scaling.scale).sum()
    expected = closed_form(data.train, data.test, 3) - log_scale
    np.testing.assert_allclose(final.images["test_log_p"], expected, rtol=0, atol=1e-6)
    assert final.metrics["test/nll"] == pytest.approx(-expected.mean(), abs=1e-6)
