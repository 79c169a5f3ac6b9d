"""What is said of a trial's code: in words for each case, and of models that were really trained."""

from typing import Any

import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.trainer.trainer import Trainer
from tracking.records.collapse import Kind, collapse

USED = {"val/decoder_use": 55.2, "val/kl": 17.1, "val/mutual_information": 5.9, "test/active_units": 14.0}
IGNORED = {**USED, "val/decoder_use": 0.01}
COLLAPSED = {**IGNORED, "val/kl": 0.02, "val/mutual_information": 0.004, "test/active_units": 0.0}


def config(**parts: Any) -> TrainConfig:
    return TrainConfig.parse({"data": {"name": "digits"}, "objective": {"num_samples": 1}, **parts})


def test_a_code_that_is_used_is_told_in_numbers_and_nothing_is_advised() -> None:
    said = collapse(config(), USED)
    assert said is not None
    assert (said.kind, said.cause) == (Kind.NONE, "")
    assert said.sentence == (
        "The code is used: 14 of 20 latent units are active, KL 17.1 nats, mutual information 5.90 nats;"
        " another item's code would cost 55.20 nats."
    )


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ({"objective": {"num_samples": 1, "beta": 4}}, "β = 4 prices the code too high"),
        ({}, "whole weight from the first step"),
        ({"annealing": {"name": "linear", "warmup_epochs": 5}}, "Annealing did not prevent it"),
        ({"objective": {"name": "vae", "num_samples": 1, "free_bits": 0.1}}, "free bits keep the KL up"),
        (
            {
                "data": {"name": "digits", "binarization": "none"},
                "model": {"likelihood": "gaussian", "observation_std": 2.0},
            },
            "fixed observation_std",
        ),
    ],
)
def test_the_likely_cause_is_in_the_configuration(parts: dict[str, Any], cause: str) -> None:
    said = collapse(config(**parts), COLLAPSED)
    assert said is not None
    assert said.kind is Kind.POSTERIOR
    assert cause in said.cause
    assert said.sentence.startswith("The posterior collapsed: 0 of 20 latent units are active")


def test_a_decoder_that_does_not_listen_is_told_from_a_posterior_that_says_nothing() -> None:
    said = collapse(config(), IGNORED)
    assert said is not None
    assert said.kind is Kind.DECODER


def test_a_trial_of_before_says_nothing() -> None:
    assert collapse(config(), {"val/nll_final": 90.0}) is None


def test_trained_models_that_use_their_code_and_some_that_do_not(small_config: Any, digits: Dataset) -> None:
    found = []
    for beta in (1, 200):
        trainer = Trainer(small_config(objective={"num_samples": 1, "beta": beta}, num_epochs=6), digits)
        list(trainer.epochs())
        said = collapse(trainer.config, trainer.finish())
        assert said is not None
        found.append(said.kind)
    assert found == [Kind.NONE, Kind.POSTERIOR]
    with torch.no_grad():  # of the second, which is complete: its code says much and its decoder is deaf
        for name, parameter in trainer.model.named_parameters():
            if name == "encoder.2.weight":
                parameter.mul_(50)
            if name == "decoder.0.weight":
                parameter.zero_()
    said = collapse(trainer.config, trainer.finish())
    assert said is not None
    assert said.kind is Kind.DECODER
