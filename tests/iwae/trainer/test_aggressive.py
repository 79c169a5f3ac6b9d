"""The encoder's own updates, on the digits."""

import copy
from typing import Any

import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import ConfigError
from iwae.pack.key import pack_key
from iwae.trainer.aggressive import AggressiveOptimization
from iwae.trainer.trainer import Trainer

AGGRESSIVE = {"name": "until-mi-stalls", "most_updates": 6, "check_every": 2}


@pytest.fixture(name="aggressive")
def _aggressive(small_config: Any) -> TrainConfig:
    config: TrainConfig = small_config(objective={"num_samples": 1, "aggressive": AGGRESSIVE}, num_epochs=3)
    return config


def optimization(trainer: Trainer) -> AggressiveOptimization:
    found = trainer.join()
    assert isinstance(found, AggressiveOptimization)
    return found


def test_the_encoder_is_updated_alone_and_then_the_decoder(aggressive: TrainConfig, digits: Dataset) -> None:
    trainer = Trainer(aggressive, digits)
    made, groups = optimization(trainer), trainer.model.groups()  # type: ignore[operator]
    before = {name: [p.clone() for p in group] for name, group in groups.items()}
    made._encoder_step(made.next_inputs())
    moved = {
        name: [not torch.equal(p, old) for p, old in zip(group, before[name], strict=True)]
        for name, group in groups.items()
    }
    assert all(moved["encoder"])
    assert not any(moved["decoder"])
    held = [p.clone() for p in groups["encoder"]]
    made._update(made.next_inputs(), left_out=groups["encoder"])
    assert all(torch.equal(p, old) for p, old in zip(groups["encoder"], held, strict=True))
    assert all(not torch.equal(p, old) for p, old in zip(groups["decoder"], before["decoder"], strict=True))


def test_updates_are_counted_and_end_for_good_when_the_information_falls(
    aggressive: TrainConfig, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(aggressive, digits)
    made, told = optimization(trainer), iter([1.0, 1.0, 2.0, 2.0, 1.5, 1.5])  # twice an epoch
    monkeypatch.setattr(made, "_measured", lambda: next(told))
    shown = [dict(epoch.metrics) for epoch in trainer.epochs()]
    assert [epoch["val/mutual_information"] for epoch in shown] == [1.0, 2.0, 1.5]
    assert all(2 <= epoch["train/encoder_updates"] <= 6 for epoch in shown)
    assert not made.aggressive
    longer = Trainer(aggressive.model_copy(update={"num_epochs": 4}), digits)
    over = optimization(longer)
    over.aggressive = False
    assert "train/encoder_updates" not in next(longer.epochs()).metrics


def test_a_run_goes_on_to_the_bit_inside_an_epoch(aggressive: TrainConfig, digits: Dataset) -> None:
    whole = Trainer(aggressive, digits)
    list(whole.epochs())
    first = Trainer(aggressive, digits)
    for _ in range(4):
        optimization(first).step()
    second = Trainer(aggressive, digits)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    list(second.epochs())
    assert second.weights() == whole.weights()


def test_it_trains_alone_and_the_key_of_a_run_without_it_stays(small_config: Any) -> None:
    assert pack_key(small_config(objective={"aggressive": AGGRESSIVE})) is None
    off = small_config(objective={"aggressive": {"name": "off"}})
    assert off.key == small_config().key
    assert "aggressive" not in off.to_dict()["objective"]


def test_a_number_of_updates_below_one_is_refused(small_config: Any) -> None:
    with pytest.raises(ConfigError, match=r"objective.aggressive.most_updates: 0 is not allowed"):
        small_config(objective={"aggressive": {**AGGRESSIVE, "most_updates": 0}})
