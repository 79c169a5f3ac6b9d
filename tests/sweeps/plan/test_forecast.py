from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset
from iwae.errors import DataError
from iwae.model.vae import VAE
from iwae.randomness import generator
from support.hand_made import Sweep
from sweeps.pace.sizes import sizes_of
from sweeps.pace.work import epoch_work
from sweeps.plan.forecast import Forecast, cost_of, seconds_scale
from sweeps.spec.spec import load_spec
from tracking.records.exclusive import shape_of
from tracking.records.shapes import ShapeProbe


def flops(config: TrainConfig) -> tuple[int, int]:
    """What PyTorch counts for one image through the encoder, and one latent through the decoder."""
    model = VAE(config.model, Layout((784,)), generator=generator(0, "initialization"))
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


QUICK = {"hidden_dims": [64, 64], "latent_dim": 20}


def test_the_work_of_k_fits_the_seconds_measured_on_digits() -> None:
    """A training step of the quickstart takes 2.0 ms at K=1, 4.2 at 20, 9.8 at 50: see the benchmark."""
    one, twenty, fifty = (Forecast().of(digits(k, model=QUICK)).training for k in (1, 20, 50))
    assert twenty / one == pytest.approx(4.2 / 2.0, rel=0.35)
    assert fifty / one == pytest.approx(9.8 / 2.0, rel=0.15)


def probe(config: TrainConfig, step: float, **rows: float) -> ShapeProbe:
    """One that was measured exactly."""
    ends = {"step_seconds": step, "low": step, "high": step, "rounds": 9}
    return ShapeProbe(shape=shape_of(config), machine="this", steps_per_epoch=12, **ends, **rows)


def test_a_trial_takes_what_its_shape_was_measured_to_take() -> None:
    evaluation = {"every": 2, "num_samples": 10, "num_images": 100, "final_num_samples": 50}
    config = digits(5, num_epochs=4, evaluation=evaluation)
    rows = {"curve_row_seconds": 1e-5, "final_row_seconds": 2e-5, "draw_seconds": 0.01}
    seconds = Forecast([(config, probe(config, 0.003, **rows))]).of(config)
    # 1,137 images are 12 minibatches; two evaluations; 300 validation and 360 test images; 100 draws.
    assert seconds.training == pytest.approx(4 * 12 * 0.003)
    assert seconds.curve == pytest.approx(2 * 100 * 10 * 1e-5)
    assert seconds.final == pytest.approx(660 * 50 * 2e-5 + 100 * 0.01)
    assert seconds.total > seconds.training + seconds.curve + seconds.final
    assert seconds.done(1.0, ended=False) == pytest.approx(seconds.total - seconds.final)


def test_a_shape_that_was_not_measured_lies_between_those_that_were() -> None:
    one, twenty, fifty = (digits(k, model=QUICK) for k in (1, 20, 50))
    forecast = Forecast([(one, probe(one, 0.002)), (fifty, probe(fifty, 0.010))])
    assert forecast.of(one).training < forecast.of(twenty).training < forecast.of(fifty).training
    share = (epoch_work(twenty) - epoch_work(one)) / (epoch_work(fifty) - epoch_work(one))
    assert forecast.of(twenty).training == pytest.approx(2 * 12 * (0.002 + share * 0.008))


def test_without_a_probe_the_plan_counts_the_seconds_of_trials_in_storage(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.finish()
    scale = seconds_scale(sweep.storage.files, load_spec("quickstart"))
    assert scale is not None
    # Trial i began at second i, and each ended at second 60.
    plain = sum(Forecast().of(trial.config).total for trial in sweep.plan)
    assert scale * plain == pytest.approx(60 + 59 + 58)


def test_the_sizes_of_an_npz_file_are_read_from_its_headers(tmp_path: Path) -> None:
    """As loading the whole file finds them, with and without validation images and a limit."""
    source = np.random.default_rng(0)
    images = {"train": source.integers(0, 256, (50, 6, 5)), "test": source.integers(0, 256, (9, 6, 5))}
    held = {"validation": source.integers(0, 256, (11, 6, 5))}
    for name, arrays in (("two", images), ("three", {**images, **held})):
        np.savez(tmp_path / f"{name}.npz", **{k: v.astype(np.uint8) for k, v in arrays.items()})
    for values in ({}, {"num_train": 7}):
        for name in ("two", "three"):
            config = DataConfig.model_validate(
                {"name": "npz", "path": str(tmp_path / f"{name}.npz"), **values}
            )
            loaded, sizes = load_dataset(config), sizes_of(config)
            found = [len(part) for part in (loaded.train, loaded.validation, loaded.test)]
            assert list(sizes[:3]) == found
            assert sizes.layout.shape == loaded.layout.shape
    gone = DataConfig.model_validate({"name": "npz", "path": str(tmp_path / "gone.npz")})
    assert sizes_of(gone).num_pixels == 784


@pytest.mark.parametrize("name", ["digits", "mnist", "wine", "breast-cancer", "iris", "diabetes"])
def test_the_catalogue_knows_the_sizes_of_the_sets(name: str) -> None:
    config = DataConfig.model_validate({"name": name})
    try:
        loaded = load_dataset(config)
    except DataError:
        pytest.skip(f"{name} is not here")
    found = [len(part) for part in (loaded.train, loaded.validation, loaded.test)]
    assert list(sizes_of(config)) == [*found, loaded.layout, not loaded.holds_bytes]
