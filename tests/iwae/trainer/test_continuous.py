"""Data that are floats, through the whole trainer."""

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from iwae.config.data import DataConfig
from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset
from iwae.data.sources.tables import read_table
from iwae.model.likelihood import pixel_statistics
from iwae.trained import TrainedModel
from iwae.trainer.trainer import Trainer
from support.runs import digest, through_a_file

MODEL = {"likelihood": "gaussian", "hidden_dims": [16], "latent_dim": 2, "activation": "tanh"}


def trained(
    data: dict[str, Any], seed: int = 0, family: str = "vae", **model: Any
) -> tuple[Trainer, dict[str, float]]:
    """After a few epochs, with the last epoch's metrics and the final ones."""
    config = TrainConfig.parse(
        {
            "data": {"binarization": "none", **data},
            "model": {**(MODEL if family == "vae" else {"name": family}), **model},
            "objective": {"name": "iwae", "num_samples": 5 if family == "vae" else 1},
            "num_epochs": 3,
            "batch_size": 20,
            "optimizer": {"lr": 1e-2},
            "evaluation": {"num_samples": 20, "final_num_samples": 100, "snr_num_draws": 0},
            "seed": seed,
        }
    )
    trainer = Trainer(config)
    epochs = list(trainer.epochs())
    return trainer, {**epochs[-1].metrics, **trainer.finish()}


def saved(path: Path, rows: np.ndarray) -> dict[str, Any]:
    np.savez(path, train=rows[:120], validation=rows[120:150], test=rows[150:])
    return {"name": "npz", "path": str(path)}


def clusters(seed: int) -> np.ndarray:
    """Rows of three clusters in four dimensions."""
    source = np.random.default_rng(seed)
    return source.normal(size=(3, 4))[source.integers(0, 3, 180)] + source.normal(size=(180, 4)) / 4


UNITS = {
    "x 1000": (np.full(4, 1000.0), np.zeros(4)),
    "shifted": (np.ones(4), np.array([1e3, -2e4, 0.5, 7])),
    "each its own": (np.array([1e-6, 1e3, 0.2, 1e8]), np.array([0, -1e5, 1.0, 1e9])),
}


@pytest.mark.parametrize("scaling", ["standardize", "min-max"])
@pytest.mark.parametrize(("units", "seed"), [("x 1000", 0), ("shifted", 1), ("each its own", 2)])
def test_nll_in_other_units_differs_by_the_log_determinant(
    scaling: str, units: str, seed: int, tmp_path: Path
) -> None:
    rows = clusters(seed)
    factor, shift = UNITS[units]
    _, before = trained({**saved(tmp_path / "a.npz", rows), "scaling": scaling}, seed)
    _, after = trained({**saved(tmp_path / "b.npz", rows * factor + shift), "scaling": scaling}, seed)
    expected = float(np.log(factor).sum())
    for name in ("val/nll", "val/nll_final", "test/nll", "test/nll_few"):
        assert after[name] - before[name] == pytest.approx(expected, abs=1e-3), name
    for name in ("train/bound", "train/reconstruction", "test/elbo"):
        assert before[name] - after[name] == pytest.approx(expected, abs=1e-3), name
    assert after["train/kl"] == pytest.approx(before["train/kl"], abs=1e-3)


def test_nll_is_a_density_in_the_data_own_unit(tmp_path: Path) -> None:
    """Integrated over a grid in that unit, exp(−NLL) is one: of one feature, by a model trained on it."""
    source = np.random.default_rng(3)
    rows = 500 + 20 * source.normal(size=(180, 1))
    trainer, _ = trained({**saved(tmp_path / "a.npz", rows), "scaling": "standardize"}, latent_dim=1)
    grid = np.linspace(300, 700, 2001)[:, None]
    np.savez(tmp_path / "grid.npz", train=rows[:120], validation=rows[120:150], test=grid)
    config = trainer.config.data.model_copy(update={"path": str(tmp_path / "grid.npz")})
    measured = Trainer(trainer.config.model_copy(update={"data": config}))
    measured.model.load_state_dict(trainer.model.state_dict())
    density = np.exp(measured.final_evaluation().images["test_log_p"])
    assert np.trapezoid(density, grid[:, 0]) == pytest.approx(1, abs=0.02)


def test_floats_are_told_per_dimension_and_not_in_bits() -> None:
    _, metrics = trained({"name": "iris", "scaling": "standardize"})
    assert metrics["test/nll_per_dim"] == pytest.approx(metrics["test/nll"] / 4)
    assert "test/bits_per_dim" not in metrics


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scaling_is_undone_in_what_people_see(dtype: type, tmp_path: Path) -> None:
    rows = (clusters(4) * [1, 10, 100, 1000] + [0, 5, -50, 5000]).astype(dtype)
    for scaling in ("standardize", "min-max"):
        values = {**saved(tmp_path / "a.npz", rows), "scaling": scaling}
        data = load_dataset(DataConfig.model_validate(values))
        assert data.scaling is not None
        np.testing.assert_allclose(data.scaling.undo(data.test.numpy()), rows[150:], rtol=1e-4, atol=1e-4)
        assert data.log_determinant == pytest.approx(-math.fsum(np.log(data.scaling.scale)))
        other = load_dataset(DataConfig.model_validate({**values, "num_train": 50}))
        assert other.scaling is not None
        assert not np.array_equal(other.scaling.scale, data.scaling.scale)
        assert other.measured_hash == data.measured_hash
        assert torch.equal(data.to("cpu").test, data.test)


def test_a_trained_model_takes_rows_in_their_own_unit(tmp_path: Path) -> None:
    rows = clusters(5) * 1000 + 1e6
    trainer, metrics = trained({**saved(tmp_path / "a.npz", rows), "scaling": "standardize"})
    (tmp_path / "model.safetensors").write_bytes(trainer.weights())
    model = TrainedModel.load(tmp_path)
    nll = -model.log_likelihood(rows[150:], 100).mean()
    assert nll == pytest.approx(metrics["test/nll"], abs=5 * metrics["test/nll_mc_error"] + 0.05)
    np.testing.assert_allclose(model.sample(500).mean(0), rows.mean(0), atol=2 * rows.std(0).max())
    assert np.abs(model.reconstruct(rows[150:]) - rows[150:]).mean() < 2 * rows.std()


def test_run_on_floats_stopped_and_resumed_has_the_same_bits() -> None:
    whole, _ = trained({"name": "wine", "scaling": "min-max"})
    config = whole.config
    first = Trainer(config)
    list(islice(first.epochs(), 1))
    second = Trainer(config)
    second.load_state_dict(through_a_file(first.state_dict()))
    list(second.epochs())
    assert digest(second) == digest(whole)
    assert second.finish() == whole.finish()


def test_learned_sigma_starts_at_the_spread_of_features_far_from_zero(tmp_path: Path) -> None:
    rows = 1e4 + np.random.default_rng(6).normal(size=(180, 3))
    dataset = load_dataset(DataConfig.model_validate(saved(tmp_path / "a.npz", rows)))

    assert pixel_statistics(dataset.train).std == pytest.approx(rows[:120].std(0).mean(), rel=0.02)


@pytest.mark.parametrize("scaling", ["standardize", "min-max"])
@pytest.mark.parametrize("name", ["wine", "iris", "diabetes", "breast-cancer"])
def test_probabilistic_pca_of_a_table_has_the_nll_of_the_closed_form(name: str, scaling: str) -> None:
    """N(μ, W Wᵀ + σ² I) of scaled features (Tipping & Bishop 1999), by SciPy, in the table's own unit."""
    trainer, metrics = trained(
        {"name": name, "scaling": scaling}, family="pca", probabilistic=True, latent_dim=2
    )
    raw = read_table(name)
    rows, test = raw.train[: len(trainer.dataset.train)], raw.test
    low, width = (rows.mean(0), rows.std(0)) if scaling == "standardize" else (rows.min(0), np.ptp(rows, 0))
    scaled = (rows - low) / width
    values, vectors = np.linalg.eigh(np.cov(scaled.T))
    noise = values[:-2].mean()
    weights = vectors[:, -2:] * np.sqrt(values[-2:] - noise)
    covariance = weights @ weights.T + noise * np.eye(len(values))
    density = multivariate_normal(scaled.mean(0), covariance)
    log_p = density.logpdf((test - low) / width) - np.log(width).sum()
    assert metrics["test/nll"] == pytest.approx(-log_p.mean(), abs=1e-6)
    assert metrics["test/nll_per_dim"] == pytest.approx(-log_p.mean() / rows.shape[1], abs=1e-6)
