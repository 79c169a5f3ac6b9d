"""What a logged model of every family gives, and how it refuses what its family does not have."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from iwae.data.load import load_dataset
from iwae.errors import DataError, UserError
from iwae.evaluation.measure import measure
from iwae.model.weights import save_weights
from iwae.randomness import generator
from iwae.serving import ServedModel
from iwae.trained import TrainedModel
from iwae.trainer.trainer import Trainer
from support.families.configs import FAMILIES, tiny


@pytest.fixture(scope="module", params=FAMILIES)
def trainer(request: pytest.FixtureRequest) -> Trainer:
    config = tiny(request.param, num_epochs=1)
    trainer = Trainer(config, load_dataset(config.data))
    list(trainer.epochs())
    return trainer


@pytest.fixture
def served(trainer: Trainer, tmp_path: Path) -> ServedModel:
    save_weights(trainer.model, trainer.config, tmp_path / "model.safetensors", trainer.dataset.scaling)
    return ServedModel(tmp_path / "model.safetensors")


def items(trainer: Trainer, count: int = 12) -> np.ndarray:
    """As a user has them: what a digits model sees is in the data's own unit."""
    inputs: np.ndarray = trainer.items("validation")[:count].inputs().double().numpy()
    return inputs


def given(served: ServedModel, x: Any, output: str, **params: Any) -> Any:
    return served.predict(x, {"output": output, **params})


def test_nlls_are_those_of_the_evaluation(trainer: Trainer, served: ServedModel) -> None:
    x = items(trainer)
    if trainer.config.model.evidence == "none":
        with pytest.raises(UserError, match=r"nll: .* has no likelihood: must be embeddings or"):
            given(served, x, "nll")
        return
    nll = given(served, x, "nll", num_samples=500)
    found = measure(trainer.model, trainer.items("validation")[:12], 500, reconstruct=False).likelihood
    assert found is not None
    assert nll.shape == (12,)
    if trainer.config.model.evidence == "estimate":
        assert nll.mean() == pytest.approx(found.nll, rel=0.02)  # other noise
    else:
        np.testing.assert_allclose(nll, -found.log_p.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(given(served, x[::-1], "nll", num_samples=500)[::-1], nll)


def test_embeddings_are_means_and_where_there_is_one_a_spread(trainer: Trainer, served: ServedModel) -> None:
    x = items(trainer)
    table = given(served, pd.DataFrame(x), "embeddings")
    with torch.no_grad():
        posterior = trainer.model.encode(torch.from_numpy(x).float())
        means, stds = trainer.model.unit_means(posterior), trainer.model.unit_stds(posterior)
    width = means.shape[1]
    names = [f"z_mean_{d}" for d in range(width)] + [f"z_std_{d}" for d in range(width) if stds is not None]
    assert list(table.columns) == names
    expected = means if stds is None else torch.cat((means, stds), dim=1)
    np.testing.assert_allclose(table, expected, rtol=1e-5, atol=1e-6)
    assert not [name for name in names if "std" in name and not (table[name] > 0).all()]


def test_reconstructions_and_samples_are_items(trainer: Trainer, served: ServedModel) -> None:
    x = items(trainer)
    means = given(served, x, "reconstruction")
    with torch.no_grad():
        expected = trainer.model.reconstruct(torch.from_numpy(x).float())
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-5)
    if not trainer.config.model.generates:
        with pytest.raises(UserError, match=r"samples: .* has no distribution to draw from"):
            given(served, x, "samples")
        return
    drawn = given(served, x[:0], "samples", num=3, seed=1)
    assert drawn.shape == (3, 64)
    np.testing.assert_array_equal(given(served, x, "samples", num=3, seed=1), drawn)
    assert not np.array_equal(given(served, x, "samples", num=3, seed=2), drawn)


def test_what_it_was_not_trained_on_is_refused(trainer: Trainer, served: ServedModel) -> None:
    x = items(trainer)
    with pytest.raises(DataError, match=r"shape \(12, 60\) is not allowed: must be \[N, "):
        given(served, x[:, :60], "reconstruction")
    with pytest.raises(DataError, match="NaN or infinity is not allowed"):
        given(served, np.full_like(x, np.nan), "embeddings")
    with pytest.raises(DataError, match=r"must be in \[0, 1\] .bytes are divided by 255"):
        given(served, 255 * x, "reconstruction")
    odd = {"binary": "0 or 1, as the model was trained on binary pixels", "byte": "bytes / 255"}
    if (must := odd.get(trainer.config.measure)) is not None:
        with pytest.raises(DataError, match=f"0.3003 is not allowed: must be {must}"):
            given(served, np.full_like(x, 0.3003), "reconstruction")


@pytest.fixture(scope="module")
def conditional() -> TrainedModel:
    config = tiny("conditional", num_epochs=1)
    trainer = Trainer(config, load_dataset(config.data))
    list(trainer.epochs())
    return TrainedModel(trainer.model.eval(), config)


def test_a_class_may_be_told_by_its_number(conditional: TrainedModel) -> None:
    x = np.random.default_rng(0).integers(0, 2, (4, 64))
    labels = np.array([3, 0, 9, 3])
    behind = np.concatenate([x, np.eye(10)[labels]], axis=1)
    expected = conditional.log_likelihood(behind, 5)
    np.testing.assert_array_equal(conditional.log_likelihood(x, 5, labels=labels), expected)
    np.testing.assert_array_equal(conditional.log_likelihood(x, 5, labels=np.eye(10)[labels]), expected)
    assert not np.array_equal(conditional.log_likelihood(x, 5, labels=labels[::-1]), expected)
    assert conditional.inputs.width == 74


def test_samples_of_a_class_are_those_of_its_attributes(conditional: TrainedModel) -> None:
    told = torch.nn.functional.one_hot(torch.full((3,), 7), 10).float()
    with torch.no_grad():
        expected = conditional.model.sample(3, generator(1, "samples"), told)
    np.testing.assert_array_equal(conditional.sample(3, seed=1, label=7), expected.numpy())
    assert not np.array_equal(conditional.sample(3, seed=1, label=6), expected.numpy())
    with pytest.raises(ValueError, match="label: 10 is not allowed: must be 0 to 9"):
        conditional.sample(3, label=10)


def test_what_a_conditional_model_is_told_must_fit(conditional: TrainedModel) -> None:
    x = np.zeros((2, 64))
    with pytest.raises(DataError, match=r"images: shape \(2, 64\) is not allowed: must be \[N, 74\]"):
        conditional.embed(x)
    for labels in ([0, 10], [0], [0.5, 1.0]):
        with pytest.raises(DataError, match=r"labels: shape .* must be \[2\] classes 0 to 9, or \[2, 10\]"):
            conditional.embed(x, labels=labels)
