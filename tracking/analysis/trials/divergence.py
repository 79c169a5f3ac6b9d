"""Configurations that diverged: shown and named, but no measure of how much seeds differ."""

import math
from collections.abc import Sequence

from iwae.errors import NonFiniteError
from tracking.records.comparable.score import score_of
from tracking.records.records import TrialRecord, TrialState
from tracking.statistics.numbers import nats


def coin(trial: TrialRecord) -> float | None:
    """X ln 2 nats, the NLL of a coin for each of X pixels; None where X is unknown or the NLL a density."""
    final = trial.final or {}
    nll, bits = final.get("test/nll"), final.get("test/bits_per_dim")
    if trial.config.measure != "binary" or not nll or not bits:
        return None
    return round(nll / (bits * math.log(2))) * math.log(2)


def divergence(trials: Sequence[TrialRecord]) -> str:
    """Why a configuration diverged, from all trials that the plan holds for it; empty if it did not.

    One seed is enough: that the others ended well says little about the next one.
    """
    for trial in trials:
        seed = f"seed {trial.config.seed}"
        if trial.error_kind == NonFiniteError.__name__:
            return f"{seed} failed: {trial.cause}"
        score = score_of(trial.config)
        value = (trial.final or {}).get(score.final)
        if trial.state is not TrialState.COMPLETE or value is None:
            continue
        if not math.isfinite(value):
            return f"{seed} has no finite validation {score.name}"
        worst = coin(trial)
        if worst is not None and value > worst:
            return f"{seed} has {nats(value)} nats, more than the {nats(worst)} of a coin for each pixel"
    return ""
