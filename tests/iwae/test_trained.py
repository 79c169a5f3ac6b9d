from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.data.dataset import Dataset
from iwae.errors import DataError
from iwae.model.weights import save_weights
from iwae.trained import TrainedModel
from iwae.trainer.trainer import Trainer
from support.linear_gaussian import build


@pytest.fixture(scope="module")
def of_digits(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    from conftest import small_config

    trainer = Trainer(small_config(num_epochs=1), digits)
    list(trainer.epochs())
    folder = tmp_path_factory.mktemp("weights")
    save_weights(trainer.model, trainer.config, folder / "model.safetensors")
    return TrainedModel.load(folder)


def binary(count: int) -> np.ndarray:
    return (np.random.default_rng(0).random((count, 64)) < 0.3).astype(np.float32)


def test_log_likelihood_is_log_p_where_the_posterior_is_exact(small_config: Any) -> None:
    # x | z ~ N(w z + b, σ²): with q the posterior at this x, every log-weight is log p(x).
    w, b, std, x = np.array([[0.8], [-0.4]]), np.array([0.3, 0.6]), 0.5, np.array([0.9, 0.1])
    variance = 1 / (1 + (w.T @ w).item() / std**2)
    mean = variance * (w.T @ (x - b)).item() / std**2
    module = build(w, b, std, np.array([mean]), np.array([variance])).float()
    config = small_config(data={"binarization": "none"}, model={"likelihood": "gaussian"})
    model = TrainedModel(module, config)
    expected = stats.multivariate_normal(b, w @ w.T + std**2 * np.eye(2)).logpdf(x)
    for num_samples in (1, 7):
        got = model.log_likelihood(np.stack([x, x]), num_samples)
        np.testing.assert_allclose(got, [expected, expected], rtol=1e-5)


def test_samples_are_means_of_pixels_and_the_same_for_the_same_seed(of_digits: TrainedModel) -> None:
    samples = of_digits.sample(5, seed=1)
    assert samples.shape == (5, 64)
    assert ((samples > 0) & (samples < 1)).all()
    np.testing.assert_array_equal(samples, of_digits.sample(5, seed=1))
    assert not np.array_equal(samples, of_digits.sample(5, seed=2))


def test_images_may_be_flat_or_not_and_numpys_or_pytorchs(of_digits: TrainedModel) -> None:
    x = binary(3)
    latents, means = of_digits.encode(x), of_digits.reconstruct(x)
    assert latents.shape == (3, of_digits.config.model.latent_dim)
    assert means.shape == (3, 64)
    for images in (x.reshape(3, 8, 8), torch.from_numpy(x), x.tolist()):
        np.testing.assert_array_equal(of_digits.encode(images), latents)
        np.testing.assert_array_equal(of_digits.reconstruct(images), means)
    np.testing.assert_allclose(means, of_digits.model.decode(torch.from_numpy(latents)).detach(), rtol=1e-5)


def test_what_is_asked_must_make_sense(of_digits: TrainedModel) -> None:
    with pytest.raises(DataError, match=r"shape \(2, 9, 9\) is not allowed: must be \[N, 64\]"):
        of_digits.encode(np.zeros((2, 9, 9)))
    with pytest.raises(DataError, match=r"0\.5 is not allowed: must be 0 or 1"):
        of_digits.log_likelihood(np.full((1, 64), 0.5))
    with pytest.raises(ValueError, match="num_samples: 0 is not allowed: must be >= 1"):
        of_digits.log_likelihood(binary(1), 0)
    with pytest.raises(ValueError, match="num_images: 0 is not allowed: must be >= 1"):
        of_digits.sample(0)


def test_bound_is_below_the_one_of_more_samples(of_digits: TrainedModel) -> None:
    few, many = (of_digits.log_likelihood(binary(20), k).mean() for k in (1, 500))
    assert few < many < 0
