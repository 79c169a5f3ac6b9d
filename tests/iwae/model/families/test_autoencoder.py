import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.special import log_expit
from sklearn import decomposition

from iwae.config.layout import Layout
from iwae.config.model import AutoencoderConfig
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset, content_hash
from iwae.errors import ConfigError
from iwae.model.families.autoencoder import Autoencoder
from iwae.trainer import Trainer


def test_linear_layers_span_the_principal_components():
    source = torch.Generator().manual_seed(0)
    factors = torch.randn(2, 6, generator=source) * 2
    x = torch.randn(700, 2, generator=source) @ factors + 0.3 * torch.randn(700, 6, generator=source)
    parts = [x[:500], x[500:600], x[600:]]
    dataset = Dataset(*parts, layout=Layout((6,)), name="npz", content_hash=content_hash(parts))
    config = TrainConfig.parse(
        {
            "data": {"name": "npz", "path": "none", "binarization": "none"},
            "model": {
                "name": "autoencoder",
                "hidden_dims": [],
                "latent_dim": 2,
                "likelihood": "gaussian",
                "observation_std": 1.0,
            },
            "optimizer": {"lr": 0.02, "schedule": {"name": "cosine"}},
            "num_epochs": 120,
            "evaluation": {"every": 120},
            "device": "cpu",
        }
    )
    trainer = Trainer(config, dataset)
    *_, last = trainer.epochs()
    pca = decomposition.PCA(2).fit(x[:500].double().numpy())
    directions = trainer.model.decoder[0].weight.detach().double().numpy()  # [X, D]
    assert np.degrees(subspace_angles(directions, pca.components_.T)).max() < 1

    def error(items):
        items = items.double().numpy()
        return float(np.square(items - pca.inverse_transform(pca.transform(items))).mean())

    final = trainer.finish()
    assert last.metrics["val/reconstruction_mse"] == final["val/reconstruction_mse_final"]
    assert final["val/reconstruction_mse_final"] == pytest.approx(error(parts[1]), rel=0.02)
    assert final["test/reconstruction_mse"] == pytest.approx(error(parts[2]), rel=0.02)
    names = " ".join((*last.metrics, *final))
    assert not [word for word in ("nll", "elbo", "bits", "active", "ess", "snr") if f"/{word}" in names]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_loss_is_the_cross_entropy_or_half_the_squared_error(likelihood):
    std = {"observation_std": 1.0} if likelihood == "gaussian" else {}
    config = AutoencoderConfig(
        name="autoencoder", hidden_dims=(5,), latent_dim=2, likelihood=likelihood, **std
    )
    model = Autoencoder(config, Layout((7,)), generator=torch.Generator().manual_seed(0))
    x = (torch.rand(4, 7, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    terms = model.log_densities(x, 1)
    output = model.decoder(model.encode(x)).detach().double().numpy()
    if likelihood == "bernoulli":
        expected = log_expit(np.where(x == 1, output, -output)).sum(1)
    else:
        expected = -0.5 * np.square(x.numpy() - output).sum(1) - 3.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(terms.log_p_x_given_z.detach(), expected[None], rtol=1e-5)
    assert not torch.cat((terms.log_p_z, terms.log_q_z_given_x, terms.kl.T)).any()


def test_several_samples_of_one_code_are_refused():
    with pytest.raises(ConfigError, match=r"objective\.num_samples: 5 is not allowed: must be <= 1 when"):
        TrainConfig.parse({"model": {"name": "autoencoder"}, "objective": {"num_samples": 5}})
