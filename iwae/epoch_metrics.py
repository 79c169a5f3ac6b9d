"""What a trainer yields, under the names that MLflow shows."""

from dataclasses import dataclass
from typing import NamedTuple

from iwae.evaluation import Evaluation
from iwae.gradient_snr import GradientSnr


@dataclass(frozen=True)
class EpochMetrics:
    """What was measured after an epoch.

    Attributes:
        epoch: completed epochs, from 1.
        metrics: values under their MLflow names; likelihoods in nats, times in seconds.
        wall_time: seconds since the Unix epoch.
    """

    epoch: int
    metrics: dict[str, float]
    wall_time: float


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
        "test/bits_per_dim": test.bits_per_dim,
        "test/active_units": float(test.active_units),
        "test/active_units_kl": float(test.active_units_kl),
        "test/ess": test.ess,
    }
    if snr is not None:
        metrics["gradient/encoder_snr"] = snr.encoder
        metrics["gradient/decoder_snr"] = snr.decoder
        metrics["gradient/snr_floor"] = snr.floor
    return metrics
