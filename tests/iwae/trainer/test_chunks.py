"""A minibatch in chunks is the same minibatch: only the last bits of sums over images may differ."""

import math
from collections.abc import Callable

import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import ConfigError
from iwae.trainer.trainer import Trainer

Configure = Callable[..., TrainConfig]


def parameters_after_an_epoch(config: TrainConfig, digits: Dataset) -> torch.Tensor:
    trainer = Trainer(config, digits)
    next(trainer.epochs())
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


SPARSE = {"name": "iwae", "num_samples": 9, "backward": {"name": "sparse", "num_kept": 2}}


@pytest.mark.parametrize("objective", [{"name": "iwae"}, {"name": "vae"}, SPARSE])
@pytest.mark.parametrize("chunk_size", [1, 33, 50, 99])
def test_chunks_train_the_same_model(
    chunk_size: int, objective: dict[str, object], small_config: Configure, digits: Dataset
) -> None:
    # With its usual eps Adam would blow the last bits of a gradient near 0 up to a whole step.
    parts = {"objective": objective, "optimizer": {"lr": 1e-2, "eps": 1.0}}
    whole = parameters_after_an_epoch(small_config(**parts), digits)
    chunked = parameters_after_an_epoch(small_config(**parts, chunk_size=chunk_size), digits)
    assert torch.allclose(whole, chunked, rtol=1e-4, atol=1e-5)


def test_chunks_as_large_as_the_minibatch_change_no_bit(small_config: Configure, digits: Dataset) -> None:
    whole = parameters_after_an_epoch(small_config(), digits)
    assert torch.equal(whole, parameters_after_an_epoch(small_config(chunk_size=100), digits))


def test_what_is_reported_is_over_all_chunks(small_config: Configure, digits: Dataset) -> None:
    whole, chunked = (next(Trainer(small_config(chunk_size=size), digits).epochs()) for size in (None, 30))
    for name in ("train/bound", "train/objective", "train/kl", "train/reconstruction"):
        assert math.isclose(whole.metrics[name], chunked.metrics[name], rel_tol=1e-4), name


@pytest.mark.parametrize("objective", [{}, SPARSE])
def test_the_gradients_noise_is_measured_over_the_whole_minibatch(
    objective: dict[str, object], small_config: Configure, digits: Dataset
) -> None:
    numbers = []
    for size in (None, 30):
        trainer = Trainer(small_config(chunk_size=size, num_epochs=1, objective=objective), digits)
        list(trainer.epochs())
        numbers.append(trainer.finish()["gradient/encoder_snr"])
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02)


def test_the_chunk_is_no_part_of_what_a_trial_is(small_config: Configure) -> None:
    assert small_config(chunk_size=10).key == small_config().key


def test_a_mass_of_samples_needs_the_whole_minibatch(small_config: Configure) -> None:
    objective = {"num_samples": 9, "backward": {"name": "sparse", "mass": 0.9}}
    with pytest.raises(ConfigError, match=r"chunk_size: 10 is not allowed: must be null with backward\.mass"):
        small_config(objective=objective, chunk_size=10)


def test_free_bits_need_the_whole_minibatch(small_config: Configure) -> None:
    objective = {"name": "vae", "free_bits": 0.1, "num_samples": 1}
    with pytest.raises(ConfigError, match="chunk_size: 10 is not allowed: must be null with free bits"):
        small_config(objective=objective, chunk_size=10)
