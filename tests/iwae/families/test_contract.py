"""What the service asks of a model, asked of every family."""

import copy
import math
from pathlib import Path

import pytest
import torch

from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.errors import CheckpointError, ConfigError
from iwae.model.protocol import LatentModel
from iwae.model.weights import load_trained, save_weights
from iwae.pack.key import pack_key
from iwae.pack.pack import Pack
from iwae.trainer.trainer import Trainer
from support.families.configs import FAMILIES, FLOATS, tiny

EVERY = [*FAMILIES, *FLOATS]
every_family = pytest.mark.parametrize("family", EVERY)
generating = pytest.mark.parametrize("family", [name for name in EVERY if tiny(name).model.generates])
by_gradients = pytest.mark.parametrize("family", [name for name in EVERY if not tiny(name).model.fitted])
WALL = ("time/", "throughput/", "system/")


@pytest.fixture(scope="module")
def data() -> dict[str, Dataset]:
    return {name: load_dataset(tiny(name).data) for name in (*FAMILIES, *FLOATS)}


def numbers(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if not name.startswith(WALL)}


def trained(trainer: Trainer) -> tuple[list[dict[str, float]], dict[str, float], bytes]:
    history = [numbers(dict(epoch.metrics)) for epoch in trainer.epochs()]
    return history, trainer.finish(), trainer.weights()


@every_family
def test_a_run_has_the_same_bits_twice_and_all_its_numbers_are_finite(
    family: str, data: dict[str, Dataset]
) -> None:
    first = trained(Trainer(tiny(family), data[family]))
    torch.manual_seed(7)  # no model draws from the process's own generator
    assert trained(Trainer(tiny(family), data[family])) == first
    assert len(first[0]) == 2
    assert all(math.isfinite(value) for epoch in (*first[0], first[1]) for value in epoch.values())


@every_family
def test_another_seed_gives_another_model(family: str, data: dict[str, Dataset]) -> None:
    one, other = (Trainer(tiny(family, seed=seed), data[family]) for seed in (0, 1))
    assert trained(one)[2] != trained(other)[2]


@every_family
def test_a_run_that_is_stopped_goes_on_to_the_bit(family: str, data: dict[str, Dataset]) -> None:
    whole = Trainer(tiny(family), data[family])
    history, final, weights = trained(whole)
    first = Trainer(tiny(family), data[family])
    epochs = first.epochs()
    before = [numbers(dict(next(epochs).metrics))]
    second = Trainer(tiny(family), data[family])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    after, final_again, weights_again = trained(second)
    assert (before + after, final_again, weights_again) == (history, final, weights)


@every_family
def test_a_state_is_refused_by_another_configuration(family: str, data: dict[str, Dataset]) -> None:
    state = Trainer(tiny(family), data[family]).state_dict()
    with pytest.raises(CheckpointError, match="another trial key"):
        Trainer(tiny(family, seed=5), data[family]).load_state_dict(state)


@every_family
def test_a_saved_model_is_the_same_model(family: str, data: dict[str, Dataset], tmp_path: Path) -> None:
    trainer = Trainer(tiny(family), data[family])
    list(trainer.epochs())
    scaling = trainer.dataset.scaling
    save_weights(trainer.model, trainer.config, tmp_path / "model.safetensors", scaling)
    again = load_trained(tmp_path)
    x = trainer.items("validation")[:6].inputs()
    with torch.no_grad():
        assert torch.equal(again.model.reconstruct(x), trainer.model.reconstruct(x))
    assert (again.config, again.model.layout) == (trainer.config, trainer.model.layout)


@every_family
def test_what_becomes_of_an_item_does_not_depend_on_its_neighbours(
    family: str, data: dict[str, Dataset]
) -> None:
    trainer = Trainer(tiny(family), data[family])
    list(trainer.epochs())
    x = trainer.items("validation")[:6].inputs()
    with torch.no_grad():
        together = trainer.model.reconstruct(x)
        alone = torch.cat([trainer.model.reconstruct(one[None]) for one in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@generating
def test_samples_are_items_and_come_from_the_given_generator(family: str, data: dict[str, Dataset]) -> None:
    trainer = Trainer(tiny(family), data[family])
    model = trainer.model
    if model.config.fitted:
        list(trainer.epochs())
    drawn = [model.sample(5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert drawn[0].shape == (5, model.num_pixels)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@by_gradients
def test_chunks_of_a_minibatch_have_its_gradient(family: str, data: dict[str, Dataset]) -> None:
    whole, chunked = (
        Trainer(tiny(family, chunk_size=size, num_epochs=1), data[family]) for size in (None, 13)
    )
    list(whole.epochs()), list(chunked.epochs())
    for one, other in zip(whole.model.parameters(), chunked.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-4)


@every_family
def test_the_memory_and_work_that_are_foretold_know_the_parameters(
    family: str, data: dict[str, Dataset]
) -> None:
    trainer = Trainer(tiny(family), data[family])
    floats = trainer.config.floats(trainer.model.layout)
    held = [*trainer.model.parameters()]
    if trainer.config.model.fitted:
        # A buffer's float64 is as large as two numbers.
        held = [torch.cat((buffer, buffer)) for buffer in map(torch.flatten, trainer.model.buffers())]
    assert floats.parameters == sum(one.numel() for one in held)
    assert trainer.config.flops(trainer.model.layout).decode > 0
    if isinstance(trainer.model, LatentModel):
        shape = trainer.model.noise_shape(1, 1)
        assert floats.noise == math.prod(shape)


@every_family
def test_more_samples_than_mean_anything_are_refused(family: str) -> None:
    most = tiny(family).model.most_samples
    if most is None:
        assert tiny(family, objective={"num_samples": 50}).objective.num_samples == 50
        return
    with pytest.raises(ConfigError, match=r"objective\.num_samples"):
        tiny(family, objective={"num_samples": most + 1})


@every_family
def test_in_a_pack_a_trial_is_what_it_is_alone(family: str, data: dict[str, Dataset]) -> None:
    config = tiny(family, num_epochs=1)
    if not config.model.packs:
        assert pack_key(config) is None
        return
    alone, packed = (Trainer(config, data[family]) for _ in range(2))
    list(alone.epochs())
    other = Trainer(tiny(family, num_epochs=1, seed=1), data[family])
    Pack(packed, 2).train_epoch([packed, other])
    for one, same in zip(alone.model.parameters(), packed.model.parameters(), strict=True):
        torch.testing.assert_close(one, same, rtol=2e-3, atol=2e-4)
