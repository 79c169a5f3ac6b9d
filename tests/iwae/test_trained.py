from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from iwae.data.dataset import Dataset
from iwae.errors import DataError
from iwae.model.weights import save_weights
from iwae.scaling import Scaling
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


def test_numbers_of_scaled_data_are_in_their_own_unit(small_config: Any) -> None:
    # Where (x − shift) / scale, which the model sees, has N(m, C), x has N(shift + scale m, scale C scale).
    w, b, std = np.array([[0.8], [-0.4]]), np.array([0.3, 0.6]), 0.5
    shift, scale = np.array([100.0, -3.0]), np.array([30.0, 0.2])
    x = shift + scale * np.array([0.9, 0.1])
    variance = 1 / (1 + (w.T @ w).item() / std**2)
    mean = variance * (w.T @ ((x - shift) / scale - b)).item() / std**2
    module = build(w, b, std, np.array([mean]), np.array([variance])).float()
    data = {"name": "iris", "scaling": "standardize"}
    model = TrainedModel(
        module, small_config(data=data, model={"likelihood": "gaussian"}), Scaling(shift, scale)
    )
    covariance = np.diag(scale) @ (w @ w.T + std**2 * np.eye(2)) @ np.diag(scale)
    expected = stats.multivariate_normal(shift + scale * b, covariance).logpdf(x)
    np.testing.assert_allclose(model.log_likelihood(x[None], 3), [expected], rtol=1e-5)
    np.testing.assert_allclose(model.reconstruct(x[None])[0], shift + scale * (w[:, 0] * mean + b), rtol=1e-5)
    means, stds = model.embed(pd.DataFrame(x[None]))
    assert stds is not None
    np.testing.assert_allclose((means, stds), [[[mean]], [[np.sqrt(variance)]]], rtol=1e-5)
    drawn = model.sample(2000, seed=3)
    np.testing.assert_allclose(drawn.mean(0), shift + scale * b, atol=5 * scale.max() / 40)


def test_inputs_of_any_shape_and_type_are_taken_and_text_is_not(of_digits: TrainedModel) -> None:
    x = binary(2)
    latents = of_digits.encode(x)
    for images in (
        x.astype(bool),
        x.astype(np.int64).reshape(2, 8, 8),
        pd.DataFrame(x),
        x.reshape(2, 1, 8, 8),
    ):
        np.testing.assert_array_equal(of_digits.encode(images), latents)
    with pytest.raises(DataError, match="images: must be numbers: could not convert string to float"):
        of_digits.encode([["a"] * 64])
    with pytest.raises(DataError, match="labels: are not allowed: vae is told none"):
        of_digits.encode(x, labels=[0, 1])
    with pytest.raises(ValueError, match="label: 3 is not allowed: vae is told no class"):
        of_digits.sample(1, label=3)
