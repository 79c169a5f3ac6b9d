"""The numbers of a trial by the columns of tables, figures and files."""

from collections.abc import Callable, Mapping

from tracking.records.comparable.score import score_of
from tracking.records.records import TrialRecord

SECONDS = "seconds"  # the time axis: of the trial alone where that was probed, else as it was measured
# What ranks, on validation and test data: the NLL, or the reconstruction error where there is no likelihood.
SCORE, TEST_SCORE = "score", "test_score"


def _final(name: str) -> Callable[[TrialRecord], float | None]:
    return lambda trial: (trial.final or {}).get(name)


def _snr_floor(part: str) -> Callable[[TrialRecord], float | None]:
    """The floor of the number shown; older records have one for both parts."""

    def measure(trial: TrialRecord) -> float | None:
        final = trial.final or {}
        return final.get(f"gradient/{part}_snr_floor", final.get("gradient/snr_floor"))

    return measure


def _seconds_per_epoch(trial: TrialRecord) -> float | None:
    return trial.train_seconds / trial.history[-1].epoch if trial.history else None


def _peak_memory(trial: TrialRecord) -> float | None:
    name = "system/peak_memory_bytes"
    return max((e.metrics[name] for e in trial.history if name in e.metrics), default=None)


def _training_memory(trial: TrialRecord) -> float | None:
    """What training takes beside the model, the data and the process; None in records without its start."""
    peak, before = _peak_memory(trial), "system/memory_before_bytes"
    starts = [e.metrics[before] for e in trial.history if before in e.metrics]
    return None if peak is None or not starts else max(0.0, peak - max(starts))


def _exclusive(trial: TrialRecord) -> float | None:
    return trial.seconds_after(trial.history[-1]) if trial.alone and trial.history else None


def _measured(trial: TrialRecord) -> float | None:
    return trial.train_seconds if trial.history else None


COLUMNS: Mapping[str, Callable[[TrialRecord], float | None]] = {
    SECONDS: lambda trial: _exclusive(trial) if trial.alone else _measured(trial),
    "train_seconds": _measured,
    "train_seconds_exclusive": _exclusive,
    "seconds_per_epoch": _seconds_per_epoch,
    SCORE: lambda trial: (trial.final or {}).get(score_of(trial.config).final),
    TEST_SCORE: lambda trial: (trial.final or {}).get(score_of(trial.config).test),
    "val_nll_final": _final("val/nll_final"),
    "val_nll_few": _final("val/nll_final_few"),
    "val_nll_stderr": _final("val/nll_final_stderr"),
    "val_nll_mc_error": _final("val/nll_final_mc_error"),
    "test_nll": _final("test/nll"),
    "test_nll_few": _final("test/nll_few"),
    "test_nll_stderr": _final("test/nll_stderr"),
    "test_bits_per_dim": _final("test/bits_per_dim"),
    "test_nll_per_dim": _final("test/nll_per_dim"),
    "true_nll": _final("val/true_nll_final"),
    "test_true_nll": _final("test/true_nll"),
    "val_reconstruction_mse": _final("val/reconstruction_mse_final"),
    "test_reconstruction_mse": _final("test/reconstruction_mse"),
    "active_units": _final("test/active_units"),
    "ess": _final("test/ess"),
    "encoder_snr": _final("gradient/encoder_snr"),
    "decoder_snr": _final("gradient/decoder_snr"),
    "encoder_snr_floor": _snr_floor("encoder"),
    "decoder_snr_floor": _snr_floor("decoder"),
    "peak_memory_bytes": _peak_memory,
    "training_memory_bytes": _training_memory,
}


NATS = ("val_nll_final", "val_nll_few", "test_nll", "test_nll_few", "true_nll", "test_true_nll")
RANKS = (
    *NATS,
    "test_bits_per_dim",
    "test_nll_per_dim",
    SCORE,
    TEST_SCORE,
)  # compared by differences; NLLs may be negative
STANDING_FOR = (SECONDS, SCORE, TEST_SCORE)  # columns that stand for one of the others
