"""What a trainer yields, under the names that MLflow shows."""

import math
from typing import NamedTuple

from iwae.config.model import VAEConfig
from iwae.config.train import TrainConfig
from iwae.evaluation.evaluation import Evaluation
from iwae.evaluation.gradient_snr import GradientSnr
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
    3: ("val/kl", "val/mutual_information", "val/decoder_use", "val/decoder_use_stderr"),
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


def validation_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The metrics of an epoch's evaluation."""
    return {
        "val/nll": evaluation.nll,
        "val/nll_stderr": evaluation.nll_stderr,
        "val/active_units": float(evaluation.active_units),
        "val/ess": evaluation.ess,
    }


def final_metrics(validation: Evaluation, test: Evaluation, snr: GradientSnr | None) -> dict[str, float]:
    """The metrics of the final evaluation."""
    metrics = {
        "val/nll_final": validation.nll,
        "val/nll_final_stderr": validation.nll_stderr,
        "val/nll_final_few": validation.nll_few,
        "test/nll": test.nll,
        "test/nll_stderr": test.nll_stderr,
        "test/nll_few": test.nll_few,
        "test/elbo": test.elbo,
        "test/active_units": float(test.active_units),
        "test/ess": test.ess,
    }
    if len(test.layer_units) > 1:
        layers = enumerate(test.layer_units, start=1)
        metrics |= {f"test/active_units_layer_{layer}": float(units) for layer, units in layers}
    of_a_number = {
        "test/active_units_kl": test.active_units_kl,
        "test/bits_per_dim": test.bits_per_dim,
        "test/nll_per_dim": test.nll_per_dim,
    }
    metrics |= {name: float(value) for name, value in of_a_number.items() if value is not None}
    for name, error in (("val/nll_final", validation.nll_mc_error), ("test/nll", test.nll_mc_error)):
        if error is not None:
            metrics[f"{name}_mc_error"] = error
    if snr is not None:
        metrics["gradient/encoder_snr"] = snr.encoder
        metrics["gradient/decoder_snr"] = snr.decoder
        metrics["gradient/encoder_snr_floor"] = snr.encoder_floor
        metrics["gradient/decoder_snr_floor"] = snr.decoder_floor
        metrics["gradient/snr_floor"] = max(snr.encoder_floor, snr.decoder_floor)
    return metrics


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
    """The final numbers of a trial that mean something else now than when they were recorded.

    Args:
        recorded: the version of the definitions then.
        config: the trial's.
    """
    names = {name for version, names in _REDEFINED.items() if recorded < version for name in names}
    if recorded < 2 and config.model.likelihood == "gaussian":
        names.add("test/bits_per_dim")
    return frozenset(names)
