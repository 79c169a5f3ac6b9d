"""Which likelihoods, priors and dequantizations a run may have, and what its NLL is a probability of."""

from typing import Any

import pytest

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError

GRAY = {"name": "digits", "binarization": "none"}
STDS = "a number from 1e-12 to 1e+12, a list of one for every feature, learned or learned-per-feature"


def run(model: dict[str, Any], data: dict[str, Any] | None = None, **parts: Any) -> TrainConfig:
    return TrainConfig.parse({"data": GRAY if data is None else {**GRAY, **data}, "model": model, **parts})


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (
            {"likelihood": "gaussian", "observation_std": "lerned"},
            {},
            f'model.observation_std: "lerned" is not allowed: must be {STDS}',
        ),
        (
            {"likelihood": "gaussian", "observation_std": [0.1, 0.0]},
            {},
            f"model.observation_std: [0.1, 0.0] is not allowed: must be {STDS}",
        ),
        (
            {"likelihood": "discretized-logistic", "observation_std": [0.1]},
            {},
            "model.observation_std: [0.1] is not allowed: must be left out when likelihood is"
            " discretized-logistic",
        ),
        (
            {"likelihood": "gaussian", "logistic_scale": "predicted"},
            {},
            "model.logistic_scale: predicted is not allowed: must be left out when likelihood is gaussian",
        ),
        (
            {"likelihood": "discretized-logistic"},
            {"binarization": "dynamic"},
            "model.likelihood: discretized-logistic is not allowed: must be bernoulli on binary data,"
            " or data.binarization none",
        ),
        (
            {"likelihood": "gaussian"},
            {"binarization": "fixed", "dequantization": "uniform"},
            "data.dequantization: uniform is not allowed: must be none when binarization is fixed:"
            " binary pixels are no bytes",
        ),
        (
            {"likelihood": "discretized-logistic"},
            {"dequantization": "variational"},
            "data.dequantization: variational is not allowed: must be none when model.likelihood is"
            " discretized-logistic: only a continuous likelihood needs it",
        ),
        (
            {"likelihood": "gaussian"},
            {"name": "wine", "dequantization": "uniform"},
            "data.dequantization: uniform is not allowed: must be none: wine has floats, no bytes",
        ),
        (
            {"name": "pca"},
            {"dequantization": "uniform"},
            "data.dequantization: uniform is not allowed: must be none when model.name is pca:"
            " its fit draws no noise",
        ),
        (
            {"name": "autoencoder", "likelihood": "gaussian"},
            {"dequantization": "uniform"},
            "data.dequantization: uniform is not allowed: must be none when model.name is autoencoder:"
            " it has no likelihood",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_fix(
    model: dict[str, Any], data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        run(model, data)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["mixture", "vampprior"])
def test_a_learned_prior_has_no_analytic_kl(name: str) -> None:
    model = {"likelihood": "gaussian", "prior": {"name": name}}
    assert not run(model).model.analytic_kl
    with pytest.raises(ConfigError, match=r"objective\.name: vae is not allowed: must be .*multi-sample-vae"):
        run(model, objective={"name": "vae"})


@pytest.mark.parametrize("std", [0.3, [0.1, 0.2], "learned", "learned-per-feature"])
def test_every_kind_of_observation_std_survives_yaml(std: Any) -> None:
    config = run({"likelihood": "gaussian", "observation_std": std})
    assert TrainConfig.from_yaml(config.to_yaml()) == config


@pytest.mark.parametrize(
    ("likelihood", "data", "measure"),
    [
        ("bernoulli", {"binarization": "dynamic"}, "binary"),
        ("gaussian", {}, "density"),
        ("gaussian", {"dequantization": "uniform"}, "byte"),
        ("discretized-logistic", {}, "byte"),
    ],
)
def test_what_the_likelihood_is_a_probability_of(likelihood: str, data: dict[str, Any], measure: str) -> None:
    assert run({"likelihood": likelihood}, data).measure == measure
