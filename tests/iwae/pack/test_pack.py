"""A trial in a pack is the trial alone to rounding, and the same bits whatever is beside it."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pytest

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import NonFiniteError, PackError
from iwae.pack.key import pack_key
from iwae.pack.pack import Pack
from iwae.trainer.optimization import Optimization
from iwae.trainer.trainer import Trainer
from support.runs import compared, digest, through_a_file

Configure = Callable[..., TrainConfig]
EPOCHS, SLOTS = 3, 8
LINEAR = {"name": "linear", "warmup_epochs": 3}
# What members may differ in.
VARIETY: list[dict[str, Any]] = [
    {"seed": 0},
    {"seed": 1, "annealing": LINEAR},
    {"seed": 2, "optimizer": {"lr": 1e-2, "clip_grad_norm": 0.5}},
    {"seed": 3, "objective": {"beta": 0.5}},
    {"seed": 4, "optimizer": {"reduction": "sum", "betas": [0.8, 0.99], "eps": 1e-4}},
    {"seed": 5, "optimizer": {"schedule": {"name": "cosine"}}, "num_epochs": 6},
    {"seed": 6, "evaluation": {"every": 2}},
]


@pytest.fixture(name="variety")
def _variety(small_config: Configure) -> list[TrainConfig]:
    return [small_config(**parts) for parts in VARIETY]


def trained(
    configs: Sequence[TrainConfig], digits: Dataset, slots: int = SLOTS, epochs: int = EPOCHS
) -> list[tuple[list[dict[str, float]], str]]:
    """Numbers of the epochs and a digest of the parameters of every member of a pack."""
    trainers = [Trainer(config, digits) for config in configs]
    pack, runs = Pack(trainers[0], slots), [trainer.epochs() for trainer in trainers]
    found: list[list[dict[str, float]]] = [[] for _ in configs]
    for _ in range(epochs):
        pack.train_epoch(trainers)
        for run, numbers in zip(runs, found, strict=True):
            numbers += compared([next(run)])
    return [(numbers, digest(trainer)) for numbers, trainer in zip(found, trainers, strict=True)]


@pytest.fixture(name="beside", scope="module")
def _beside(digits: Dataset) -> list[tuple[list[dict[str, float]], str]]:
    from conftest import small_config

    return trained([small_config(**parts) for parts in VARIETY], digits)


def test_packed_agrees_with_alone_to_rounding(
    variety: list[TrainConfig], beside: list[Any], digits: Dataset
) -> None:
    for config, (packed, _) in zip(variety, beside, strict=True):
        alone = compared(list(islice(Trainer(config, digits).epochs(), EPOCHS)))
        assert len(alone) == len(packed) == EPOCHS
        for one, other in zip(packed, alone, strict=True):
            assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize(
    "objective", [{"name": "vae", "num_samples": 1}, {"name": "vae"}, {"name": "multi-sample-vae"}]
)
def test_other_objectives_agree_too(
    objective: dict[str, Any], small_config: Configure, digits: Dataset
) -> None:
    parts = ({"seed": 1}, {"seed": 2, "annealing": LINEAR})
    configs = [small_config(objective=objective, **part) for part in parts]
    for config, (packed, _) in zip(configs, trained(configs, digits, 4, 2), strict=True):
        for one, other in zip(
            packed, compared(list(islice(Trainer(config, digits).epochs(), 2))), strict=True
        ):
            assert one == pytest.approx(other, rel=1e-4)


def test_a_learned_observation_deviation_is_each_members_own(
    small_config: Configure, digits: Dataset
) -> None:
    parts: dict[str, Any] = {
        "data": {"binarization": "none"},
        "model": {"likelihood": "gaussian", "observation_std": "learned"},
    }
    configs = [small_config(**parts, seed=seed) for seed in range(2)]
    for config, (packed, _) in zip(configs, trained(configs, digits, 2, 2), strict=True):
        for one, other in zip(
            packed, compared(list(islice(Trainer(config, digits).epochs(), 2))), strict=True
        ):
            assert one == pytest.approx(other, rel=1e-4)


def test_a_member_has_the_same_bits_alone_in_a_pack_of_the_same_size(
    variety: list[TrainConfig], beside: list[Any], digits: Dataset
) -> None:
    for member in (1, 2):
        assert trained([variety[member]], digits) == [beside[member]]


def test_a_member_has_the_same_bits_in_every_slot(
    variety: list[TrainConfig], beside: list[Any], digits: Dataset
) -> None:
    rotated = [*variety[3:], variety[0], *variety[:3]]
    assert trained(rotated, digits) == [*beside[3:], beside[0], *beside[:3]]


@pytest.mark.parametrize(("slots", "batch_size"), [(2, 97), (3, 32), (5, 1137)])
def test_slots_have_the_same_bits_whatever_the_minibatch(
    slots: int, batch_size: int, small_config: Configure, digits: Dataset
) -> None:
    config = small_config(batch_size=batch_size)
    alone, *rest = trained([config] * slots, digits, slots, 1)
    assert all(found == alone for found in rest)
    assert trained([config], digits, slots, 1) == [alone]


def test_members_join_leave_and_change_places_between_epochs(
    variety: list[TrainConfig], beside: list[Any], digits: Dataset
) -> None:
    first, second, third = (Trainer(config, digits) for config in variety[:3])
    pack, runs = Pack(first, SLOTS), {trainer: trainer.epochs() for trainer in (first, second, third)}
    found: dict[Trainer, list[dict[str, float]]] = {trainer: [] for trainer in runs}
    for members in ([first], [second, first], [third, first, second], [second, third], [third]):
        pack.train_epoch(members)
        for trainer in members:
            found[trainer] += compared([next(runs[trainer])])
    assert [(found[trainer], digest(trainer)) for trainer in runs] == beside[:3]


@pytest.mark.parametrize("steps", [0, 7, 12, 16])
def test_a_member_that_is_stopped_leaves_alone_and_goes_on_with_the_same_bits(
    steps: int,
    variety: list[TrainConfig],
    beside: list[Any],
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (Trainer(config, digits) for config in variety[:2])
    pack, runs = Pack(first, SLOTS), [first.epochs(), second.epochs()]
    stop_after(first, steps, monkeypatch)
    found: list[list[dict[str, float]]] = [[], []]
    while not first.stopping:
        pack.train_epoch([first, second])
        for numbers, run in zip(found, runs, strict=True):
            numbers += compared([epoch for epoch in [next(run, None)] if epoch is not None])
    monkeypatch.undo()
    assert first.steps == steps
    resumed = Trainer(variety[0], digits)
    resumed.load_state_dict(through_a_file(first.state_dict()))
    members, runs = [second, resumed], [resumed.epochs(), runs[1]]
    while min(map(len, found)) < EPOCHS:
        members = [t for t, n in ((resumed, found[0]), (second, found[1])) if len(n) < EPOCHS]
        pack.train_epoch(members)
        for trainer, run, numbers in zip((resumed, second), runs, found, strict=True):
            if trainer in members:
                numbers += compared([next(run)])
    assert [(found[0], digest(resumed)), (found[1], digest(second))] == beside[:2]


def stop_after(trainer: Trainer, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if steps == 0:
        trainer.stop()
    noise, optimization = Optimization.noise, trainer.join()

    def counted(self: Optimization, num_images: int) -> Any:
        if self is optimization and self.steps == steps - 1:
            trainer.stop()
        return noise(self, num_images)

    monkeypatch.setattr(Optimization, "noise", counted)


def test_a_member_that_diverges_fails_alone(
    variety: list[TrainConfig], beside: list[Any], small_config: Configure, digits: Dataset
) -> None:
    wild = Trainer(small_config(optimizer={"lr": 1e30}), digits)
    calm = Trainer(variety[1], digits)
    pack, runs = Pack(wild, SLOTS), [wild.epochs(), calm.epochs()]
    pack.train_epoch([wild, calm])
    with pytest.raises(NonFiniteError, match="in epoch 1"):
        next(runs[0])
    numbers = compared([next(runs[1])])
    for _ in range(EPOCHS - 1):
        pack.train_epoch([calm])
        numbers += compared([next(runs[1])])
    assert (numbers, digest(calm)) == beside[1]


def test_a_members_seconds_are_its_share(small_config: Configure, digits: Dataset) -> None:
    trainers = [Trainer(small_config(seed=seed), digits) for seed in range(4)]
    pack = Pack(trainers[0], 4)
    start = time.perf_counter()
    pack.train_epoch(trainers)
    whole = time.perf_counter() - start
    shares = [trainer.stopwatch.train_seconds for trainer in trainers]
    assert len(set(shares)) == 1
    assert 0 < sum(shares) < whole
    assert next(trainers[0].epochs()).metrics["time/epoch_seconds"] >= shares[0]


def test_only_what_differs_in_scalars_has_the_same_key(
    variety: list[TrainConfig], small_config: Configure
) -> None:
    assert len({pack_key(config) for config in variety}) == 1
    others = [
        small_config(objective={"num_samples": 4}),
        small_config(objective={"name": "vae"}),
        small_config(model={"latent_dim": 5}),
        small_config(batch_size=99),
        small_config(data={"binarization": "fixed"}),
    ]
    assert len({pack_key(config) for config in (*others, variety[0])}) == 6


@pytest.mark.parametrize(
    "parts", [{"chunk_size": 10}, {"objective": {"name": "vae", "num_samples": 1, "free_bits": 0.1}}]
)
def test_what_can_only_train_alone_has_no_key(
    parts: dict[str, Any], small_config: Configure, digits: Dataset
) -> None:
    config = small_config(**parts)
    assert pack_key(config) is None
    with pytest.raises(PackError, match="trains alone"):
        Pack(Trainer(config, digits), 2)


@pytest.mark.parametrize("hidden_dims", [[33], [17, 5]])
def test_slots_of_odd_widths_have_the_same_bits_or_are_refused(
    hidden_dims: list[int], small_config: Configure, digits: Dataset
) -> None:
    config = small_config(model={"hidden_dims": hidden_dims, "latent_dim": 3})
    try:
        alone, *rest = trained([config] * 3, digits, 3, 1)
    except PackError as error:
        assert "not the same bits" in str(error)  # noqa: PT017 (which of the two depends on the machine)
    else:
        assert all(found == alone for found in rest)
