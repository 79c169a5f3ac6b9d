from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from iwae.config.train import TrainConfig
from iwae.model.vae import VAE
from iwae.randomness import generator
from support.hand_made import Sweep
from sweeps.plan.forecast import cost_of, seconds_per_work
from sweeps.spec.spec import load_spec


def flops(config: TrainConfig) -> tuple[int, int]:
    """What PyTorch counts for one image through the encoder, and one latent through the decoder."""
    model = VAE(config.model, 784, generator=generator(0, "initialization"))
    counts = []
    for layers, inputs in ((model.encoder, 784), (model.decoder, config.model.latent_dim)):
        with FlopCounterMode(display=False) as counter:
            layers(torch.zeros(1, inputs))
        counts.append(int(counter.get_total_flops()))
    return counts[0], counts[1]


def test_training_costs_three_forward_passes_as_pytorch_counts_them() -> None:
    config = TrainConfig.parse({"objective": {"num_samples": 5}, "num_epochs": 2})
    encode, decode = flops(config)
    assert cost_of(config).training == 3 * 2 * 50_000 * (encode + 5 * decode)


def test_evaluation_costs_a_decoder_pass_for_every_image_and_sample() -> None:
    small = {"every": 2, "num_samples": 7, "num_images": 30, "final_num_samples": 11, "final_num_images": 40}
    config = TrainConfig.parse({"num_epochs": 5, "evaluation": small})
    # Evaluated after epochs 2, 4 and 5; the final evaluation is on validation and on test images.
    assert cost_of(config).evaluation == (3 * 7 * 30 + 2 * 11 * 40) * flops(config)[1]


def test_a_larger_k_costs_more_training_and_no_more_evaluation() -> None:
    one, fifty = (cost_of(TrainConfig.parse({"objective": {"num_samples": k}})) for k in (1, 50))
    assert fifty.training > one.training
    assert fifty.evaluation == one.evaluation


def digits(num_samples: int, **values: Any) -> TrainConfig:
    return TrainConfig.parse(
        {"data": {"name": "digits"}, "objective": {"num_samples": num_samples}, "num_epochs": 2, **values}
    )


def test_the_work_of_k_fits_the_seconds_measured_on_digits() -> None:
    """A training step of the quickstart takes 2.0 ms at K=1, 4.2 at 20, 9.8 at 50: see the benchmark."""
    model = {"hidden_dims": [64, 64], "latent_dim": 20}
    evaluation = {"num_samples": 1, "num_images": 2, "final_num_samples": 1, "final_num_images": 2}
    silent = {**evaluation, "few_num_samples": 1, "snr_num_draws": 0}
    one, twenty, fifty = (cost_of(digits(k, model=model, evaluation=silent)).work for k in (1, 20, 50))
    assert twenty / one == pytest.approx(4.2 / 2.0, rel=0.35)
    assert fifty / one == pytest.approx(9.8 / 2.0, rel=0.15)


def test_the_plan_counts_the_seconds_of_trials_in_storage(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.finish()
    rate = seconds_per_work(sweep.storage.files, load_spec("quickstart"))
    assert rate is not None
    # Trial i began at second i, and each ended at second 60.
    assert rate * sum(cost_of(trial.config).work for trial in sweep.plan) == pytest.approx(60 + 59 + 58)
