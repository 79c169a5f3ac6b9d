"""Trials that do not fit in a machine's memory are named before anything starts."""

import pytest

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.machines import local_ray, machine
from sweeps.machines.admission import DRIVER_BYTES, largest_trial
from sweeps.plan.memory import in_chunks_that_fit, peak_bytes
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec

GIB = 2**30


def spec_of(num_samples: list[int], **resources: float) -> SweepSpec:
    space = {"objective.num_samples": {"grid": num_samples}}
    return SweepSpec.parse({"name": "large", "search": {"space": space}, "resources": resources})


@pytest.fixture
def with_memory(monkeypatch: pytest.MonkeyPatch):
    def give(size: int) -> None:
        monkeypatch.setattr(machine, "memory", lambda: machine.Limit(size, "the memory of this machine"))
        monkeypatch.setattr(machine, "cpus", lambda: machine.Limit(8, "the CPUs of this machine"))

    return give


def test_a_trial_that_no_chunk_makes_small_enough_is_named(with_memory) -> None:
    with_memory(3 * GIB)
    assert largest_trial(spec_of([1, 50])) < GIB
    said = (
        r"^search: a trial with K=100000 D=20 is not allowed: must take at most 1.25 GiB, what the memory of"
    )
    with pytest.raises(ConfigError, match=said):
        largest_trial(spec_of([1, 100_000]))
    with_memory(64 * GIB)
    assert GIB < largest_trial(spec_of([1, 100_000])) < 64 * GIB


def test_so_many_run_at_once_as_the_largest_leaves_room_for(with_memory) -> None:
    with_memory(DRIVER_BYTES + 4 * GIB)
    assert local_ray.local_cpus(Resources(), 0)[0] == 8
    number, said = local_ray.local_cpus(Resources(), 2 * GIB)
    assert number == 2
    assert "runs at most 2 trials at once: the memory of this machine" in said


def test_a_share_of_a_gpu_is_what_a_trial_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_memory", lambda: machine.Limit(16 * GIB, "the memory of a GPU here"))
    assert 0 < largest_trial(spec_of([5000], gpus=0.5)) < 8 * GIB
    with pytest.raises(
        ConfigError, match=r"must take at most 0.64 GiB, what the memory of a GPU here leaves"
    ):
        largest_trial(spec_of([5000], gpus=0.04))


def test_fewer_images_at_once_make_a_trial_fit_where_that_helps() -> None:
    config = TrainConfig.parse({"objective": {"num_samples": 2000}, "batch_size": 500})
    whole = peak_bytes(config, "cuda")
    fitting = in_chunks_that_fit(config, whole - 1, "cuda")
    assert fitting is not None
    assert fitting.chunk_size < 500
    assert fitting.key == config.key
    assert peak_bytes(fitting, "cuda") < whole
    assert in_chunks_that_fit(config, whole, "cuda") is config
    assert in_chunks_that_fit(config, 2**20, "cuda") is None
