"""Nothing leaves the device inside an epoch, and a CUDA graph of a step is the step."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.model.build import build_model
from iwae.model.likelihood import bernoulli
from iwae.objectives import sparse_backward
from iwae.randomness import generator
from iwae.trainer import graph, optimization
from iwae.trainer.graph import GraphedStep, StepInputs, Update
from iwae.trainer.optimization import Optimization
from iwae.trainer.trainer import Trainer
from support.families.reads import NothingRead

Configure = Callable[..., TrainConfig]

BATCH = 400
MANY = {"name": "iwae", "num_samples": 7}
SPARSE = {**MANY, "backward": {"name": "sparse", "num_kept": 3}}
MASS = {**MANY, "backward": {"name": "sparse", "mass": 0.9}}
RUNS: dict[str, dict[str, Any]] = {
    "vae": {"objective": {"name": "vae", "num_samples": 1, "free_bits": 0.1}},
    "dense": {"objective": MANY},
    "sparse": {"objective": SPARSE},
    "annealed": {
        "objective": {**MANY, "beta": 0.5},
        "annealing": {"name": "linear", "warmup_epochs": 2, "target": "beta"},
        "optimizer": {"schedule": {"name": "cosine"}, "clip_grad_norm": 1.0},
    },
    "in chunks": {"objective": SPARSE, "chunk_size": 150},
}
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


def optimization_of(config: TrainConfig, digits: Dataset) -> Optimization:
    return Trainer(config, digits)._optimization


def static_inputs(trained: Optimization, device: torch.device) -> None:
    """As on a CUDA device, but for the graph."""
    annealed = None if trained.annealing.is_constant else trained.annealing.target
    trained._graphed = GraphedStep(BATCH, annealed, device)


def steps(trained: Optimization, count: int) -> Tensor:
    """The parameters after so many steps, in one row."""
    for _ in range(count):
        trained.step()
        if trained.batch == trained.steps_per_epoch:
            trained.end_epoch()
    return torch.cat([p.detach().flatten() for p in trained._model.parameters()])


@pytest.fixture
def on_meta(
    small_config: Configure, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Optimization]:
    """Makes an optimization whose tensors have no values: whatever reads one fails."""
    for sizes in (bernoulli.BLOCK_BYTES, sparse_backward.BLOCK_BYTES):
        monkeypatch.setitem(sizes, "meta", sizes["cuda"])
    # No generator and no fused Adam is made for `meta`, though both serve its tensors.
    monkeypatch.setattr(optimization, "generator", lambda seed, purpose, device: generator(seed, purpose))
    adam = sys.modules[torch.optim.Adam.__module__]
    monkeypatch.setattr(adam, "_device_dtype_check_for_fused", lambda parameter: None)

    def make(**parts: Any) -> Optimization:
        config: TrainConfig = small_config(batch_size=BATCH, **parts)
        model = build_model(config, Layout((64,)), generator=generator(0, "initialization")).to("meta")
        made = Optimization(config, model, Items(digits.train.to("meta")))
        static_inputs(made, torch.device("meta"))
        return made

    return make


@pytest.mark.parametrize("run", RUNS)
def test_an_epoch_runs_where_no_number_can_be_read(run: str, on_meta: Callable[..., Optimization]) -> None:
    made = on_meta(**RUNS[run])
    with NothingRead():
        steps(made, made.steps_per_epoch + 1)
    assert made.epoch == 1


def test_the_number_of_samples_that_hold_a_mass_is_read(
    on_meta: Callable[..., Optimization], small_config: Configure
) -> None:
    made = on_meta(objective=MASS)
    assert small_config(objective=MASS).objective.reads_device
    with pytest.raises(AssertionError, match="_local_scalar_dense waits"), NothingRead():
        made.step()


@pytest.mark.parametrize("run", RUNS)
def test_static_inputs_change_no_step(run: str, small_config: Configure, digits: Dataset) -> None:
    """β, λ and the rate as scalars of the device: float32 in place of float64, so only last bits differ."""
    plain, static = (optimization_of(small_config(batch_size=BATCH, **RUNS[run]), digits) for _ in range(2))
    static_inputs(static, torch.device("cpu"))
    count = plain.steps_per_epoch + 3
    torch.testing.assert_close(steps(static, count), steps(plain, count), rtol=1e-4, atol=1e-5)


class Recorded:
    """In a CUDA graph's place on a CPU: does again what was recorded, on the same tensors."""

    def __init__(self, update: Update, inputs: StepInputs) -> None:
        self.replays = 0
        self._update, self._inputs = update, inputs

    def replay(self) -> None:
        self.replays += 1
        self._update(self._inputs)


@pytest.mark.parametrize("run", RUNS)
def test_a_capture_leaves_no_trace_in_the_training(
    run: str, small_config: Configure, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def record(update: Update, inputs: StepInputs, generators: Any) -> Recorded:
        for _ in range(graph.WARM_UP_STEPS):
            update(inputs)
        graphs.append(Recorded(update, inputs))
        return graphs[0]

    monkeypatch.setattr(graph, "_captured", record)
    config = small_config(batch_size=BATCH, **RUNS[run])
    plain, graphed = (optimization_of(config, digits) for _ in range(2))
    for trained in (plain, graphed):
        static_inputs(trained, torch.device("cpu"))
    graphed.warm_up()
    count = plain.steps_per_epoch + 3
    assert torch.equal(steps(graphed, count), steps(plain, count))
    smaller = count // plain.steps_per_epoch  # the last minibatch of an epoch
    assert graphs[0].replays == count - smaller
    assert graphed.state_dict()["sums"].equal(plain.state_dict()["sums"])


@contextmanager
def no_synchronization() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@cuda
@pytest.mark.parametrize("run", RUNS)
def test_a_cuda_graph_is_the_step(
    run: str, small_config: Configure, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("IWAE_CUDA_GRAPHS", switch)
        trained = optimization_of(small_config(batch_size=BATCH, **RUNS[run], device="cuda"), digits)
        trained.warm_up()
        with no_synchronization():
            found.append(steps(trained, trained.steps_per_epoch + 3))
    assert torch.equal(*found)


@cuda
@pytest.mark.parametrize("run", RUNS)
def test_a_resumed_cuda_graph_goes_on_to_the_bit(run: str, small_config: Configure, digits: Dataset) -> None:
    config = small_config(batch_size=BATCH, **RUNS[run], device="cuda")
    whole, first, second = (optimization_of(config, digits) for _ in range(3))
    whole.warm_up()
    first.warm_up()
    steps(first, 2)
    second.load_state_dict(first.state_dict())
    second.warm_up()
    assert torch.equal(steps(second, 5), steps(whole, 7))
