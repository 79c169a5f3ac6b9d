"""A minibatch in chunks is the same minibatch: only the last bits of sums over images may differ."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.config.objective import BoundConfig
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import ConfigError
from iwae.memory import images_at_once, images_of_a_pass, peak_step_bytes
from iwae.model.vae import VAE
from iwae.objectives.objective import Weights, build_objective
from iwae.trainer.trainer import Trainer

Configure = Callable[..., TrainConfig]

MNIST = Layout((28, 28))


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


def wide(num_samples: int, **parts: object) -> TrainConfig:
    objective = {"num_samples": num_samples, **parts.pop("objective", {})}  # type: ignore[dict-item]
    return TrainConfig.parse({"objective": objective, **parts})


@pytest.mark.parametrize(
    ("num_samples", "images"), [(1, 100), (20, 100), (50, 50), (100, 25), (5000, 1), (100_000, 1)]
)
def test_a_pass_takes_as_many_images_as_the_cache_holds(num_samples: int, images: int) -> None:
    assert images_of_a_pass(wide(num_samples), MNIST, "cpu") == images


def test_a_pass_takes_the_minibatch_whole_where_memory_is_all_that_counts() -> None:
    assert images_of_a_pass(wide(100), MNIST, "cuda") == 100
    assert images_of_a_pass(wide(100, activation_bytes=2**25), MNIST, "cuda") == 34
    sparse = {"backward": {"name": "sparse", "num_kept": 4}}
    assert images_of_a_pass(wide(5000, objective=sparse), MNIST, "cpu") == 100


@pytest.mark.parametrize("objective", [{}, {"name": "multi-sample-vae"}, {"name": "vae"}, SPARSE])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_samples_in_chunks_have_the_gradient_of_all_at_once(
    objective: dict[str, object], likelihood: str
) -> None:
    config = VAEConfig(hidden_dims=(12, 9), latent_dim=3, activation="elu", likelihood=likelihood)
    model = VAE(config, Layout((10,)), generator=torch.Generator().manual_seed(0)).double()
    x = torch.randint(0, 2, (6, 10), generator=torch.Generator().manual_seed(3)).double()
    noise = torch.randn(9, 6, 3, generator=torch.Generator().manual_seed(1)).double()
    estimator = build_objective(BoundConfig.model_validate({"num_samples": 9, **objective}))
    found = []
    for rows in (10**6, 18, 1):  # of an image and a sample
        model.activation_bytes = rows * 4 * config.floats(model.layout).sample
        terms = estimator.step_terms(
            model, x, Weights(0.5), noise=noise, generator=torch.Generator().manual_seed(2)
        )
        gradients = torch.autograd.grad(terms.surrogates.encoder.sum(), list(model.parameters()))
        found.append([*gradients, terms.objective, terms.bound, terms.densities.log_p_x_given_z])
    for chunked in found[1:]:
        torch.testing.assert_close(chunked, found[0], rtol=1e-9, atol=1e-9)


def test_what_the_gradient_holds_does_not_grow_with_the_samples() -> None:
    """The bytes saved for the backward pass: with chunks of samples only latents and log-densities grow."""
    config = VAEConfig(hidden_dims=(12,), latent_dim=3)
    model = VAE(config, Layout((50,)), generator=torch.Generator().manual_seed(0))
    x = torch.randint(0, 2, (6, 50), generator=torch.Generator().manual_seed(3)).float()

    def saved(num_samples: int) -> int:
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            held = model.log_densities(x, num_samples, generator=torch.Generator().manual_seed(2))
        del held
        return sum(sizes.values())

    whole = saved(200) - saved(100)
    assert whole > 100 * 6 * 4 * (50 + 12)
    model.activation_bytes = 20 * 6 * 4 * config.floats(model.layout).sample
    chunked = saved(200) - saved(100)
    assert chunked < 100 * 6 * 4 * 6 * config.latent_dim


def test_an_explicit_chunk_is_a_limit() -> None:
    assert images_at_once(wide(1, chunk_size=30), MNIST) == 25  # four even chunks
    assert images_of_a_pass(wide(100, chunk_size=60), MNIST, "cpu") == 25


def test_memory_of_a_step_is_the_parameters_the_noise_and_one_pass() -> None:
    config = wide(5000)
    parameters = 784 * 400 + 400 + 400 * 40 + 40 + 20 * 400 + 400 + 400 * 784 + 784
    assert config.model.floats(MNIST).parameters == parameters
    noise, one_image = 4 * 5000 * 100 * 20, 4 * 5000 * (2 * 784 + 400 + 80)
    on_a_gpu, one_more = (peak_step_bytes(wide(5000, chunk_size=size), MNIST, "cuda") for size in (1, 2))
    assert one_more - on_a_gpu == pytest.approx(one_image, rel=0.01)
    assert on_a_gpu == pytest.approx(16 * parameters + noise + one_image, rel=0.03)
    assert peak_step_bytes(wide(5000, activation_bytes=2**24), MNIST) < peak_step_bytes(config, MNIST) - 2**24


TRAIN = """
import json, sys
import torch
from iwae.config.layout import Layout
from iwae.data.items import Items
from iwae.memory import peak_step_bytes
from iwae.config.train import TrainConfig
from iwae.model.build import build_model
from iwae.randomness import generator
from iwae.trainer.machine import keep_freed_memory, memory_bytes, peak_memory_bytes, reset_peak_memory
from iwae.trainer.optimization import Optimization

def steps(values):
    config = TrainConfig.parse(values)
    model = build_model(config, MNIST, generator=generator(0, "initialization"))
    images = torch.zeros(config.batch_size, 784, dtype=torch.uint8)
    optimization = Optimization(config, model, Items(images))
    optimization.step()
    return config

MNIST = Layout((28, 28))
torch.set_num_threads(1)
keep_freed_memory()
steps({"batch_size": 2})  # what a process needs once
cpu = torch.device("cpu")
reset_peak_memory(cpu)
before = memory_bytes(cpu)
config = steps(json.loads(sys.argv[1]))
print(json.dumps([before, peak_memory_bytes(cpu), peak_step_bytes(config, MNIST)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot forget its peak")
def test_five_thousand_samples_train_in_the_memory_that_is_foretold() -> None:
    values = json.dumps({"objective": {"num_samples": 5000}, "batch_size": 3})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, values], env=environment, capture_output=True, text=True, check=True
    )
    before, peak, foretold = json.loads(done.stdout)
    assert peak < 1.5e9
    assert before + foretold == pytest.approx(peak, rel=0.15)
    assert peak - before < 3 * 5000 * 784 * 4 * 2  # the logits of the minibatch and their gradient
    assert peak - before == pytest.approx(foretold, rel=0.5)
