"""Who may stand in one table: likelihoods of the same data, of the same kind, of x or of x given y."""

from dataclasses import replace

import pytest

from iwae.config.train import TrainConfig
from tracking.records.comparable.score import LIKELIHOOD, RECONSTRUCTION, score_of
from tracking.records.comparable.yardstick import Yardstick

GRAY = {"name": "digits", "binarization": "none"}
GAUSSIAN = {"model": {"likelihood": "gaussian"}, "data": GRAY}


def config(**parts):
    return TrainConfig.parse({"objective": {"num_samples": 1}, **parts})


APART = {
    "binary pixels and a density": (config(data={"name": "digits"}), config(**GAUSSIAN)),
    "a density and bytes": (
        config(**GAUSSIAN),
        config(data=GRAY, model={"likelihood": "discretized-logistic"}),
    ),
    "a density and dequantized bytes": (
        config(**GAUSSIAN),
        config(**{**GAUSSIAN, "data": {**GRAY, "dequantization": "uniform"}}),
    ),
    "two dequantizations": (
        config(**{**GAUSSIAN, "data": {**GRAY, "dequantization": "uniform"}}),
        config(**{**GAUSSIAN, "data": {**GRAY, "dequantization": "variational"}}),
    ),
    "two scalings": (
        config(**{**GAUSSIAN, "data": {"name": "wine", "binarization": "none", "scaling": "standardize"}}),
        config(**{**GAUSSIAN, "data": {"name": "wine", "binarization": "none", "scaling": "min-max"}}),
    ),
    "a likelihood and none": (
        config(data=GRAY, model={"name": "pca", "probabilistic": True}),
        config(data=GRAY, model={"name": "pca"}),
    ),
}
TOGETHER = {
    "a VAE, exact likelihoods": [
        config(**GAUSSIAN),
        config(data=GRAY, model={"name": "pca", "probabilistic": True}),
        config(data=GRAY, model={"name": "mixture"}),
    ],
    "an autoencoder and PCA": [
        config(data=GRAY, model={"name": "autoencoder", "likelihood": "gaussian"}),
        config(data=GRAY, model={"name": "pca"}),
    ],
    "fewer training items": [config(), config(data={"num_train": 100})],
}


@pytest.mark.parametrize("pair", APART.values(), ids=APART)
def test_what_is_not_comparable_has_another_yardstick(pair):
    first, second = map(Yardstick.of, pair)
    assert first != second
    assert first.description != second.description


@pytest.mark.parametrize("configs", TOGETHER.values(), ids=TOGETHER)
def test_what_is_comparable_shares_one(configs):
    assert len({Yardstick.of(one) for one in configs}) == 1


def test_a_likelihood_given_labels_is_none_of_the_items_alone():
    alone = Yardstick.of(config())
    given = replace(alone, conditional=True)
    assert given != alone
    assert (alone.measured, given.measured) == ("NLL of binary pixels", "NLL of binary pixels given y")


def test_models_without_a_likelihood_are_ranked_by_reconstruction():
    assert score_of(config()) is LIKELIHOOD
    found = score_of(config(data=GRAY, model={"name": "pca"}))
    assert found is RECONSTRUCTION
    assert (found.final, found.test) == ("val/reconstruction_mse_final", "test/reconstruction_mse")
    assert not found.is_likelihood
    assert found.amount(0.03125) == "0.0312"
    assert found.spread(0.03125, (0.030, 0.0325)) == "0.0312 ± 0.0013"
    assert LIKELIHOOD.spread(85.304, (85.2, 85.408)) == "85.30 ± 0.10"
    assert LIKELIHOOD.signed(-0.5) == "−0.50"
