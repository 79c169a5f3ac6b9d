import hashlib
import io
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset, content_hash
from iwae.data.pixels import intensities, resident
from iwae.errors import CheckpointError, ConfigError, DataError, NonFiniteError, Stopped
from iwae.trainer import optimization as optimization_module
from iwae.trainer.metrics import EpochMetrics
from iwae.trainer.trainer import Trainer

Configure = Callable[..., TrainConfig]
NOT_BITWISE = ("time/", "throughput/", "system/")
LAST = 4


def compared(epochs: list[EpochMetrics]) -> list[dict[str, float]]:
    """What "bitwise" compares: everything but seconds, throughput and memory."""
    return [
        {name: value for name, value in epoch.metrics.items() if not name.startswith(NOT_BITWISE)}
        for epoch in epochs
    ]


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def whole_run(config: TrainConfig, digits: Dataset) -> tuple[list[dict[str, float]], dict[str, float], str]:
    trainer = Trainer(config, digits)
    return compared(list(trainer.epochs())), trainer.finish(), digest(trainer)


def digest(trainer: Trainer) -> str:
    return hashlib.sha256(trainer.weights()).hexdigest()


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


def test_metrics_have_the_documented_names(small_config: Configure, digits: Dataset) -> None:
    config = small_config(num_epochs=3, evaluation={"every": 2})
    trainer = Trainer(config, digits)
    epochs = list(trainer.epochs())
    always = {
        "train/bound",
        "train/objective",
        "train/kl",
        "train/reconstruction",
        "annealing/beta",
        "time/train_seconds",
        "time/epoch_seconds",
        "throughput/examples_per_second",
        "system/peak_memory_bytes",
    }
    evaluated = always | {"val/nll", "val/nll_stderr", "val/active_units", "val/ess"}
    assert [set(epoch.metrics) for epoch in epochs] == [always, evaluated, evaluated]
    assert set(trainer.finish()) == {
        "val/nll_final",
        "val/nll_final_stderr",
        "val/nll_final_few",
        "test/nll",
        "test/nll_stderr",
        "test/nll_few",
        "test/elbo",
        "test/bits_per_dim",
        "test/active_units",
        "test/active_units_kl",
        "test/ess",
        "gradient/encoder_snr",
        "gradient/decoder_snr",
        "gradient/snr_floor",
        "gradient/encoder_snr_floor",
        "gradient/decoder_snr_floor",
        "val/nll_final_mc_error",
        "test/nll_mc_error",
    }


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


def test_test_images_change_nothing_before_the_final_evaluation(
    small_config: Configure, digits: Dataset
) -> None:
    other = replace(digits, test=255 - digits.test)
    runs = [Trainer(small_config(), data) for data in (digits, other)]
    assert compared(list(runs[0].epochs())) == compared(list(runs[1].epochs()))
    finals = [run.finish() for run in runs]
    assert finals[0]["val/nll_final"] == finals[1]["val/nll_final"]
    assert finals[0]["test/nll"] != finals[1]["test/nll"]


def test_last_smaller_minibatch_counts_by_its_size(small_config: Configure, digits: Dataset) -> None:
    # At a rate too small to move anything the epoch's mean is the mean over images, however they are batched.
    config = small_config(
        data={"binarization": "threshold"},
        objective={"name": "vae", "num_samples": 1},
        num_epochs=1,
        optimizer={"lr": 1e-30},
        batch_size=1000,
    )
    trainer = Trainer(config, digits)
    (epoch,) = trainer.epochs()
    x = (digits.train >= 128).double()
    with torch.no_grad():
        kl = trainer.model.double().encode(x).kl().sum(-1)
    assert epoch.metrics["train/kl"] == pytest.approx(kl.mean().item(), rel=1e-5)
    assert len(digits.train) % 1000 == 137  # 137 images would have counted as much as 1,000


def test_not_a_number_names_the_epoch_and_the_term(small_config: Configure, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    running = trainer.epochs()
    next(running)
    with torch.no_grad():
        trainer.model.decoder[-1].bias[3] = float("nan")
    with pytest.raises(NonFiniteError, match=r"log_p_x_given_z became nan in epoch 2") as caught:
        next(running)
    assert (caught.value.epoch, caught.value.term) == (2, "log_p_x_given_z")


def test_parameter_that_overflows_in_the_last_step_is_found(small_config: Configure, digits: Dataset) -> None:
    trainer = Trainer(small_config(batch_size=2000, num_epochs=1), digits)
    step = trainer._optimization.step

    def overflow() -> None:
        step()
        with torch.no_grad():
            trainer.model.encoder[0].weight[0, 0] = float("inf")

    trainer._optimization.step = overflow  # type: ignore[method-assign]
    with pytest.raises(NonFiniteError, match=r"parameter encoder.0.weight became inf in epoch 1"):
        list(trainer.epochs())


def test_diverging_learning_rate_is_an_error(small_config: Configure, digits: Dataset) -> None:
    with pytest.raises(NonFiniteError, match="in epoch"):
        list(Trainer(small_config(optimizer={"lr": 1e30}), digits).epochs())


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_training_improves_the_likelihood_of_images_it_has_not_seen(
    likelihood: str, small_config: Configure, digits: Dataset
) -> None:
    binarization = "dynamic" if likelihood == "bernoulli" else "none"
    config = small_config(
        model={"likelihood": likelihood}, data={"binarization": binarization}, optimizer={"lr": 1e-2}
    )
    losses = [epoch.metrics["val/nll"] for epoch in Trainer(config, digits).epochs()]
    assert losses[-1] < losses[0] - 1


def test_annealing_weighs_the_objective_and_not_the_bound(small_config: Configure, digits: Dataset) -> None:
    config = small_config(annealing={"name": "linear", "warmup_epochs": 4}, num_epochs=4)
    epochs = [epoch.metrics for epoch in Trainer(config, digits).epochs()]
    steps = 12 * 4
    logged = [metrics["annealing/beta"] for metrics in epochs]
    np.testing.assert_allclose(logged, [(12 * (epoch + 1) - 1) / steps for epoch in range(4)])
    assert all(metrics["train/objective"] > metrics["train/bound"] for metrics in epochs)


def test_entropy_weight_is_logged_under_its_own_name(small_config: Configure, digits: Dataset) -> None:
    annealing = {"name": "linear", "warmup_epochs": 1, "target": "entropy_weight"}
    epochs = list(Trainer(small_config(annealing=annealing, num_epochs=2), digits).epochs())
    assert epochs[1].metrics["annealing/entropy_weight"] == 1.0
    assert "annealing/beta" not in epochs[1].metrics


def test_gray_pixels_into_a_bernoulli_likelihood_are_refused_before_training(digits: Dataset) -> None:
    config = TrainConfig.parse({"data": {"name": "npz", "path": "x.npz", "binarization": "none"}})
    with pytest.raises(DataError, match=r"data.binarization: none is not allowed: .* gray pixels"):
        Trainer(config, digits)
    binary = [255 * (part >= 128).to(torch.uint8) for part in (digits.train, digits.validation, digits.test)]
    Trainer(config, replace(digits, train=binary[0], validation=binary[1], test=binary[2]))


def test_missing_cuda_is_one_line() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ConfigError, match=r"^device: cuda is not allowed: must be cpu or auto"):
        Trainer(TrainConfig.parse({"data": {"name": "digits"}, "device": "cuda"}))


def test_sum_and_mean_give_the_same_first_adam_step(small_config: Configure, digits: Dataset) -> None:
    # Adam divides by the gradient's size: without ε and clipping the scale of the loss changes nothing.
    weights = []
    for reduction in ("mean", "sum"):
        config = small_config(optimizer={"reduction": reduction, "eps": 1e-30}, batch_size=2000, num_epochs=1)
        trainer = Trainer(config, digits)
        list(trainer.epochs())
        weights.append(trainer.model.decoder[0].weight.detach())
    torch.testing.assert_close(*weights)


def test_clipping_bounds_the_norm_that_adam_sees(small_config: Configure, digits: Dataset) -> None:
    config = small_config(
        optimizer={"clip_grad_norm": 0.5, "reduction": "sum"}, batch_size=2000, num_epochs=1
    )
    trainer = Trainer(config, digits)
    list(trainer.epochs())
    squares = sum(float(p.grad.square().sum()) for p in trainer.model.parameters() if p.grad is not None)
    assert squares**0.5 == pytest.approx(0.5, rel=1e-4)


def test_progress_says_phase_epoch_and_share(small_config: Configure, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    assert trainer.progress == ("training", 0, 4, 0.0, 0.0)
    running = trainer.epochs()
    next(running)
    assert trainer.progress[:4] == ("evaluating", 1, 4, 0.25)
    list(running)
    trainer.finish()
    assert trainer.progress == ("final evaluation", 4, 4, 1.0, 1.0)


def test_timing_is_shared_when_the_thread_waits_for_a_core(small_config: Configure, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    state = trainer.state_dict()
    state["stopwatch"] = {"train_seconds": 10.0, "epoch_seconds": 0.0, "cpu_seconds": 8.9}
    trainer.load_state_dict(state)
    assert trainer.timing_shared
    state["stopwatch"]["cpu_seconds"] = 9.1
    trainer.load_state_dict(state)
    assert not trainer.timing_shared


def test_dynamic_pixels_are_on_with_probability_byte_over_255() -> None:
    from iwae.data.pixels import bernoulli_bytes

    levels = torch.arange(256, dtype=torch.uint8).repeat(40_000, 1)
    counts = bernoulli_bytes(levels, torch.Generator().manual_seed(0)).sum(0).numpy()
    assert counts[0] == 0
    assert counts[255] == 40_000
    expected = 40_000 * np.arange(1, 255) / 255
    variance = expected * (1 - np.arange(1, 255) / 255)
    chi_squared = ((counts[1:255] - expected) ** 2 / variance).sum()
    assert 0.001 < stats.chi2.sf(chi_squared, 254) < 0.999


def test_evaluation_pixels_are_one_bernoulli_sample_and_not_thresholded(digits: Dataset) -> None:
    from iwae.data.pixels import evaluation_pixels

    dynamic, fixed = (evaluation_pixels(digits.test, kind, "test") for kind in ("dynamic", "fixed"))
    threshold = evaluation_pixels(digits.test, "threshold", "test")
    assert torch.equal(dynamic, fixed)
    assert set(dynamic.unique().tolist()) == {0, 255}
    assert (dynamic != threshold).float().mean() > 0.05
    assert dynamic.float().mean().item() == pytest.approx(digits.test.float().mean().item(), rel=0.02)
    assert content_hash([dynamic]) == content_hash([evaluation_pixels(digits.test, "dynamic", "test")])


def test_output_bias_starts_at_the_mean_of_the_pixels_that_are_trained_on(
    digits: Dataset, small_config: Configure
) -> None:
    biases = {}
    for kind in ("threshold", "dynamic"):
        config = small_config(data={"binarization": kind}, model={"output_bias": "train_mean"})
        biases[kind] = Trainer(config, digits).model.decoder[-1].bias.detach().numpy()
    gray = digits.train.numpy() / 255
    for kind, pixels in (("threshold", gray > 0.5), ("dynamic", gray)):
        mean = pixels.mean(0).clip(0.001, 0.999)
        np.testing.assert_allclose(biases[kind], np.log(mean / (1 - mean)), rtol=1e-5, atol=1e-6)


def test_gradients_noise_is_measured_at_pixels_that_were_trained_on(
    small_config: Configure, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(data={"binarization": "fixed"}, num_epochs=1)
    instance = Trainer(config, digits)
    list(instance.epochs())
    seen: list[torch.Tensor] = []
    log_densities = instance.model.log_densities

    def kept(x: torch.Tensor, *arguments: Any, **more: Any) -> Any:
        seen.append(x)
        return log_densities(x, *arguments, **more)

    monkeypatch.setattr(instance.model, "log_densities", kept)
    instance._gradient_snr(4)
    trained_on = resident(digits.train, "fixed", "train")[: config.batch_size]
    assert all(torch.equal(x, intensities(trained_on)) for x in seen)
    assert len(seen) == 4
