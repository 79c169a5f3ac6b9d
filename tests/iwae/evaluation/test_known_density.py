"""The whole chain on data whose log p is known: train, bound at 5,000 samples, compare with the truth."""

import numpy as np
import pytest

from iwae.config.train import TrainConfig
from iwae.data.sources.known_mixture import MIXTURE_2D
from iwae.trainer import Trainer

DATA = {"name": "mixture-2d", "binarization": "none", "num_validation": 100}


def trained(model, **more):
    config = TrainConfig.parse(
        {
            "data": DATA,
            "model": model,
            "evaluation": {"every": 100, "final_num_samples": 5000, "snr_num_draws": 0},
            "device": "cpu",
            **more,
        }
    )
    trainer = Trainer(config)
    for _ in trainer.epochs():
        pass
    return trainer, trainer.final_evaluation()


def differences(trainer, final):
    """log p̂ minus the true log p of every test item, and the mean over items of each."""
    true = MIXTURE_2D.log_density(trainer.dataset.test.numpy())
    assert final.metrics["test/true_nll"] == pytest.approx(-true.mean(), abs=1e-12)
    assert final.metrics["test/nll"] == pytest.approx(-final.images["test_log_p"].mean(), abs=1e-12)
    return final.images["test_log_p"] - true


def test_bound_of_a_good_model_is_just_below_the_truth():
    gaussian_vae = {"hidden_dims": [24, 24], "latent_dim": 2, "activation": "tanh", "init": "glorot"}
    apart = differences(
        *trained(
            {**gaussian_vae, "likelihood": "gaussian"},
            objective={"name": "iwae", "num_samples": 20},
            optimizer={"lr": 0.01, "schedule": {"name": "cosine"}},
            batch_size=200,
            num_epochs=20,
        )
    )
    assert -0.05 < apart.mean() < 0
    # By more than chance: the mean is no draw from a distribution around 0.
    assert apart.mean() < -2 * apart.std() / np.sqrt(len(apart))


def test_mixture_finds_the_mixture():
    trainer, final = trained({"name": "mixture", "num_components": 3}, num_epochs=40)
    apart = differences(trainer, final)
    # 17 numbers from 4,900 items: 17 / 9,800 nats are to be expected.
    assert -0.01 < apart.mean() < 0.001
    means = np.array(sorted(trainer.model.means.tolist()))
    np.testing.assert_allclose(means, sorted(one.mean for one in MIXTURE_2D.components), atol=0.15)
