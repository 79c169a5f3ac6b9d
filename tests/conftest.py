import signal
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from iwae.config.data import DataConfig
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from support.started import ending_what_is_started

# A script's `&` starts us with SIGINT ignored, and so would be the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset(DataConfig(name="digits"))


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A command that a test runs in this process ignores them at its end; later children would inherit it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _commands_ended() -> Iterator[None]:
    """What a failed test leaves running would redden another by a warning, or by the CPUs that it takes."""
    with ending_what_is_started():
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def small_config(**parts: Any) -> TrainConfig:
    """A run on the digits that takes a fraction of a second."""
    values: dict[str, Any] = {
        "data": {"name": "digits"},
        "model": {"hidden_dims": [32], "latent_dim": 4},
        "objective": {"num_samples": 3},
        "num_epochs": 4,
        "evaluation": {
            "num_samples": 10,
            "num_images": 50,
            "final_num_samples": 20,
            "final_num_images": 40,
            "few_num_samples": 5,
            "snr_num_draws": 4,
        },
        "device": "cpu",
    }
    for name, part in parts.items():
        values[name] = {**values[name], **part} if isinstance(values.get(name), dict) else part
    return TrainConfig.parse(values)


@pytest.fixture(name="small_config")
def _small_config() -> Any:
    return small_config
