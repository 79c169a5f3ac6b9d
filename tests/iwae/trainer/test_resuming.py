import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import CheckpointError, Stopped
from iwae.trainer import optimization as optimization_module
from iwae.trainer.trainer import Trainer
from support.runs import compared, digest, through_a_file, whole_run

Configure = Callable[..., TrainConfig]
LAST = 4


def test_two_runs_of_one_configuration_have_the_same_bits(small_config: Configure, digits: Dataset) -> None:
    first = whole_run(small_config(), digits)
    torch.manual_seed(1234)  # whatever else draws from the global generator
    assert whole_run(small_config(), digits) == first
    assert whole_run(small_config(seed=1), digits)[0] != first[0]


def test_training_leaves_the_global_generator_alone(small_config: Configure, digits: Dataset) -> None:
    before = torch.get_rng_state()
    whole_run(small_config(num_epochs=1), digits)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("stopped_after", [1, 2, LAST - 1])
def test_run_stopped_after_an_epoch_and_resumed_has_the_same_bits(
    stopped_after: int, small_config: Configure, digits: Dataset
) -> None:
    config = small_config(annealing={"name": "cosine", "warmup_epochs": 3})
    epochs, final, weights = whole_run(config, digits)
    first = Trainer(config, digits)
    before = list(islice(first.epochs(), stopped_after))
    second = Trainer(config, digits)
    second.load_state_dict(through_a_file(first.state_dict()))
    after = list(second.epochs())
    assert [epoch.epoch for epoch in after] == list(range(stopped_after + 1, LAST + 1))
    assert compared(before) + compared(after) == epochs
    assert second.finish() == final
    assert digest(second) == weights


@pytest.mark.parametrize("steps", [0, 1, 13, 17, 30])
def test_run_stopped_inside_an_epoch_and_resumed_has_the_same_bits(
    steps: int, small_config: Configure, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config()
    epochs, final, weights = whole_run(config, digits)
    first = Trainer(config, digits)
    stop_at_step(first, steps, monkeypatch)
    before = list(first.epochs())
    assert first.steps == steps
    monkeypatch.undo()
    second = Trainer(config, digits)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert compared(before) + compared(list(second.epochs())) == epochs
    assert second.finish() == final
    assert digest(second) == weights


def stop_at_step(trainer: Trainer, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step = optimization_module.Optimization.step
    if steps == 0:
        trainer.stop()

    def counted(self: optimization_module.Optimization) -> None:
        step(self)
        if self.steps == steps:
            trainer.stop()

    monkeypatch.setattr(optimization_module.Optimization, "step", counted)


def test_epoch_whose_evaluation_was_stopped_is_evaluated_and_yielded_after_resuming(
    small_config: Configure, digits: Dataset
) -> None:
    config = small_config()
    epochs, _, weights = whole_run(config, digits)
    first = Trainer(config, digits)
    per_epoch = first._optimization.steps_per_epoch
    wait_for = first._optimization.epoch_means

    def stop_then_mean() -> dict[str, float]:
        first.stop()
        return wait_for()

    first._optimization.epoch_means = stop_then_mean  # type: ignore[method-assign]
    assert list(first.epochs()) == []
    assert first.steps == per_epoch
    assert first.epoch == 0
    second = Trainer(config, digits)
    second.load_state_dict(through_a_file(first.state_dict()))
    resumed = list(second.epochs())
    assert [epoch.epoch for epoch in resumed] == [1, 2, 3, 4]
    assert compared(resumed) == epochs
    assert digest(second) == weights


def test_stop_from_another_thread_ends_training_and_the_final_evaluation(
    small_config: Configure, digits: Dataset
) -> None:
    trainer = Trainer(small_config(num_epochs=10_000), digits)
    threading.Timer(0.3, trainer.stop).start()
    epochs = list(trainer.epochs())
    assert len(epochs) < 10_000
    with pytest.raises(Stopped):
        trainer.finish()


def test_checkpoint_does_not_change_when_training_goes_on(small_config: Configure, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    running = trainer.epochs()
    next(running)
    state = trainer.state_dict()
    saved = {name: tensor.clone() for name, tensor in state["optimization"]["model"].items()}
    next(running)
    for name, tensor in state["optimization"]["model"].items():
        assert torch.equal(tensor, saved[name])


@pytest.mark.parametrize("change", [{"seed": 5}, {"batch_size": 50}])
def test_state_of_another_configuration_is_refused(
    change: dict[str, int], small_config: Configure, digits: Dataset
) -> None:
    state = Trainer(small_config(), digits).state_dict()
    with pytest.raises(CheckpointError, match="another trial key"):
        Trainer(small_config(**change), digits).load_state_dict(state)


def test_state_of_another_data_set_is_refused(small_config: Configure, digits: Dataset) -> None:
    state = Trainer(small_config(), digits).state_dict()
    with pytest.raises(CheckpointError, match="another data hash"):
        Trainer(small_config(), replace(digits, content_hash="0")).load_state_dict(state)


def test_seconds_add_up_over_epochs_and_survive_a_resume(small_config: Configure, digits: Dataset) -> None:
    first = Trainer(small_config(), digits)
    before = list(islice(first.epochs(), 2))
    second = Trainer(small_config(), digits)
    second.load_state_dict(first.state_dict())
    epochs = before + list(second.epochs())
    seconds = [epoch.metrics["time/epoch_seconds"] for epoch in epochs]
    totals = [epoch.metrics["time/train_seconds"] for epoch in epochs]
    np.testing.assert_allclose(totals, np.cumsum(seconds))
    assert all(second > 0 for second in seconds)
