from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.pixels import intensities, resident
from iwae.errors import ConfigError, DataError, NonFiniteError
from iwae.trainer.trainer import Trainer
from support.runs import compared

Configure = Callable[..., TrainConfig]


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
        "system/memory_before_bytes",
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
        "val/reconstruction_mse_final",
        "test/reconstruction_mse",
        "val/kl",
        "val/mutual_information",
        "val/decoder_use",
        "val/decoder_use_stderr",
    }


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
    instance.gradient_snr(4)
    trained_on = resident(digits.train, "fixed", "train")[: config.batch_size]
    assert all(torch.equal(x, intensities(trained_on)) for x in seen)
    assert len(seen) == 4
