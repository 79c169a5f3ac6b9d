"""What a trainer yields, under the names that MLflow shows."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from iwae.config.model import Evidence, VAEConfig
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.evaluation.evaluation import Evaluation, Likelihood
from iwae.evaluation.gradient_snr import GradientSnr
from iwae.evaluation.measure import Measured
from iwae.model.likelihood.gaussian import MIN_LEARNED_LOG_STD

# Version of what the final numbers mean, recorded with every attempt; what was recorded without one has 1.
DEFINITIONS = 3
# Names that have another meaning since a version, or are new in it. In 2 the SNR was no longer the mean of
# clamped ratios (under `fixed` at pixels not trained on), and a Gaussian's bits were those of a byte.
_REDEFINED = {
    2: (
        *("gradient/encoder_snr", "gradient/decoder_snr", "gradient/snr_floor"),
        *("gradient/encoder_snr_floor", "gradient/decoder_snr_floor"),
        *("val/nll_final_mc_error", "test/nll_mc_error"),
    ),
    3: (
        *("val/kl", "val/mutual_information", "val/decoder_use", "val/decoder_use_stderr"),
        *("val/reconstruction_mse_final", "test/reconstruction_mse"),
        "model/observation_std",
    ),
}
# Means of an epoch's steps, by the names of ``iwae.trainer.optimization.TERMS``.
TRAIN_MEANS = {
    "train/bound": "bound",
    "train/objective": "objective",
    "train/kl": "kl",
    "train/reconstruction": "log_p_x_given_z",
    "train/encoder_updates": "encoder_updates",  # by itself, before each step
    "val/mutual_information": "mutual_information",
}
_DENSITIES = frozenset({"train/bound", "train/objective", "train/reconstruction"})


class Progress(NamedTuple):
    """Where a trainer is: ``phase`` is ``training``, ``evaluating`` or ``final evaluation``.

    ``epoch`` counts completed epochs, ``fraction`` the optimizer steps of the whole training,
    ``phase_fraction`` the current epoch's steps or the current evaluation.
    """

    phase: str
    epoch: int
    num_epochs: int
    fraction: float
    phase_fraction: float


def train_metrics(
    means: Mapping[str, float], evidence: Evidence, log_determinant: float = 0.0
) -> dict[str, float]:
    """The metrics of an epoch's steps.

    Args:
        means: over the steps, by the names of ``TRAIN_MEANS``.
        evidence: of the model; without a likelihood nothing is a bound on it or a density.
        log_determinant: what a log-density is higher by in the data's own unit, in nats.
    """
    metrics = {name: means[mean] for name, mean in TRAIN_MEANS.items() if mean in means}
    if evidence == "none":
        return {name: value for name, value in metrics.items() if name not in ("train/bound", "train/kl")}
    return {name: value + log_determinant * (name in _DENSITIES) for name, value in metrics.items()}


def validation_metrics(measured: Measured) -> dict[str, float]:
    """The metrics of an epoch's evaluation: of the likelihood, or where there is none of reconstructions."""
    likelihood = measured.likelihood
    if likelihood is None:
        return _known({"val/reconstruction_mse": measured.reconstruction_mse})
    metrics = {"val/nll": likelihood.nll, "val/nll_stderr": likelihood.nll_stderr}
    if isinstance(likelihood, Evaluation):
        metrics["val/active_units"] = float(likelihood.active_units)
        metrics["val/ess"] = likelihood.ess
    return metrics


def final_metrics(validation: Measured, test: Measured, snr: GradientSnr | None) -> dict[str, float]:
    """The metrics of the final evaluation."""
    metrics: dict[str, float] = {}
    for name, measured in (("val/nll_final", validation), ("test/nll", test)):
        if (likelihood := measured.likelihood) is not None:
            metrics[name] = likelihood.nll
            metrics[f"{name}_stderr"] = likelihood.nll_stderr
            metrics[f"{name}_few"] = likelihood.nll_few
            if isinstance(likelihood, Evaluation) and likelihood.nll_mc_error is not None:
                metrics[f"{name}_mc_error"] = likelihood.nll_mc_error
    if test.likelihood is not None:
        metrics |= _test_metrics(test.likelihood)
    metrics |= _known(
        {
            "val/reconstruction_mse_final": validation.reconstruction_mse,
            "test/reconstruction_mse": test.reconstruction_mse,
        }
    )
    if snr is not None:
        metrics["gradient/encoder_snr"] = snr.encoder
        metrics["gradient/decoder_snr"] = snr.decoder
        metrics["gradient/encoder_snr_floor"] = snr.encoder_floor
        metrics["gradient/decoder_snr_floor"] = snr.decoder_floor
        metrics["gradient/snr_floor"] = max(snr.encoder_floor, snr.decoder_floor)
    return metrics


def true_metrics(dataset: Dataset, evaluated: Mapping[str, Items]) -> dict[str, float]:
    """−log p of the items under the distribution that they were drawn from, where that is known.

    Args:
        dataset: that the items are of.
        evaluated: the items of ``validation`` and ``test``.
    """
    if dataset.density is None:
        return {}
    metrics = {}
    for name, split in (("val/true_nll_final", "validation"), ("test/true_nll", "test")):
        x = evaluated[split].values.double().cpu().numpy()
        x = x if dataset.scaling is None else dataset.scaling.undo(x)
        metrics[name] = -float(dataset.density.log_density(x).mean())
    return metrics


def _test_metrics(test: Likelihood) -> dict[str, float]:
    metrics = _known({"test/bits_per_dim": test.bits_per_dim, "test/nll_per_dim": test.nll_per_dim})
    if isinstance(test, Evaluation):
        metrics["test/elbo"] = test.elbo
        metrics["test/active_units"] = float(test.active_units)
        metrics |= _known({"test/active_units_kl": test.active_units_kl})
        metrics["test/ess"] = test.ess
        if len(test.layer_units) > 1:
            layers = enumerate(test.layer_units, start=1)
            metrics |= {f"test/active_units_layer_{layer}": float(units) for layer, units in layers}
    return metrics


def _known(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if value is not None}


def trained_otherwise(recorded: int, config: TrainConfig) -> str:
    """Why a record of an earlier version was trained otherwise than today; empty where it was not.

    Args:
        recorded: its version of ``DEFINITIONS``.
        config: what was trained.
    """
    model = config.model
    if recorded >= 2 or not isinstance(model, VAEConfig):
        return ""
    if model.likelihood == "bernoulli" and model.output_bias == "train_mean":
        if config.data.binarization == "threshold":
            return "the output bias started at the mean of the gray pixels, not of the rounded ones"
    elif isinstance(model.observation_std, float) and math.log(model.observation_std) < MIN_LEARNED_LOG_STD:
        return f"observation_std {model.observation_std:g} was replaced by 9.1e-4, and is used as it is"
    return ""


def redefined(recorded: int, config: TrainConfig) -> frozenset[str]:
    """The numbers of a trial that mean something else now than when they were recorded, or are new.

    Args:
        recorded: the version of the definitions then.
        config: the trial's.
    """
    names = {name for version, names in _REDEFINED.items() if recorded < version for name in names}
    if recorded < 2 and config.model.likelihood == "gaussian":
        names.add("test/bits_per_dim")
    return frozenset(names)
