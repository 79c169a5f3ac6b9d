"""Two trainings of one configuration, compared bit by bit, and by what seeds of it differ."""

import math
import struct
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from tracking.analysis.trials.divergence import coin
from tracking.records.comparable.score import score_of
from tracking.records.records import SweepRecord, TrialRecord
from tracking.records.shapes import Attempt
from tracking.statistics.seed_noise import tolerance

Verdict = Literal["BITWISE", "WITHIN_NOISE", "DIVERGED"]
# What a clock or the machine's memory says is not part of the result.
UNCOMPARED = ("time/", "throughput/", "system/")
JUDGED = ("final", "test")  # of its score: the NLLs, or the reconstruction errors
# Share of right second trainings, at most, that are called DIVERGED because of their final numbers.
FALSE_ALARMS = 0.05
# A function of the step alone: the same on every machine, but for the last digit of a cosine.
SCHEDULED = "annealing/"
ROUNDING = 1e-12
# Means over a whole epoch, in which rounding has not grown much by the end of the first. Other vector
# instructions changed them by 8e-9 of their value in 13 steps on the digits and by 2e-4 in 1,000 on MNIST.
STEADY = ("train/bound", "train/objective", "train/reconstruction")
FIRST_EPOCH = 5e-3
# Share of its value by which every number of a training may differ, and it is plainly the same training: what
# another rounding of a step, as of another version of the trainer, leaves of a stable one.
ROUNDED = 1e-5


class Difference(NamedTuple):
    """A number that is not the same; ``epoch`` is None for a final one, a value None where it is missing."""

    epoch: int | None
    metric: str
    original: float | None
    reproduced: float | None


def compare(
    old: Mapping[str, float],
    new: Mapping[str, float],
    epoch: int | None,
    incomparable: Collection[str] = (),
) -> list[Difference]:
    """The metrics that differ in a bit; time, throughput, memory and ``incomparable`` are left out."""
    names = [*old, *(name for name in new if name not in old)]
    return [
        Difference(epoch, name, old.get(name), new.get(name))
        for name in names
        if not name.startswith(UNCOMPARED)
        and name not in incomparable
        and _bits(old.get(name)) != _bits(new.get(name))
    ]


def verdict_of(
    record: SweepRecord,
    trial: TrialRecord,
    final: Mapping[str, float] | None,
    epochs: list[list[Difference]],
    finals: list[Difference],
) -> tuple[Verdict, str]:
    """What the differences mean, and why.

    Args:
        record: the sweep, whose seeds say what noise is.
        trial: what was recorded.
        final: the final numbers of the second training, when the record has some.
        epochs: the differences of each epoch.
        finals: the differences of the final numbers.
    """
    first = next((position for position, found in enumerate(epochs) if found), None)
    if first is None and not finals:
        return "BITWISE", "every epoch and every final number is the same to the bit"
    if first is None:
        return "DIVERGED", (
            "every epoch is the same to the bit and the final numbers are not: the record was altered,"
            " or another evaluation made it"
        )
    if (later := _same_again(trial, first, epochs, finals)) is not None:
        return "DIVERGED", (
            f"epoch {trial.history[first].epoch} differs and {later} is the same to the bit again, which no"
            " second training does: the record was altered"
        )
    if (cause := _no_noise(epochs)) is not None:
        return "DIVERGED", cause
    drift = f"different from epoch {trial.history[first].epoch} on, first in {_changed(epochs[first][0])}"
    if max(_apart(difference) for found in (*epochs, finals) for difference in found) <= ROUNDED:
        return (
            "WITHIN_NOISE",
            f"{drift}; every number is within {ROUNDED:g} of its value, as rounding leaves it",
        )
    if trial.final is None or final is None:
        return "DIVERGED", f"{drift}; the record has no final numbers, so there is no noise to measure by"
    verdict, words = _within_noise(record, trial, final)
    return verdict, f"{drift}; {words}"


def _no_noise(epochs: list[list[Difference]]) -> str | None:
    """A difference that rounding does not make: of the schedule, or before rounding could grow."""
    for found in epochs:
        for difference in found:
            missing = difference.original is None or difference.reproduced is None
            if missing or (difference.metric.startswith(SCHEDULED) and _apart(difference) > ROUNDING):
                return (
                    f"epoch {difference.epoch}: {_changed(difference)}, which no noise changes:"
                    " another schedule or another evaluation trained it"
                )
    early = [difference for difference in epochs[0] if difference.metric in STEADY]
    widest = max(early, key=_apart, default=None)
    if widest is not None and _apart(widest) > FIRST_EPOCH:
        return (
            f"epoch {widest.epoch}: {_changed(widest)}, {_apart(widest):.2g} of its value and more than the"
            f" {FIRST_EPOCH:g} that rounding makes of a first epoch: other code, data or settings trained it"
        )
    return None


def _apart(difference: Difference) -> float:
    """The change as a share of the larger value; infinite where one is missing."""
    old, new = difference.original, difference.reproduced
    if old is None or new is None:
        return math.inf
    return abs(new - old) / max(abs(old), abs(new)) if new != old else 0.0


def _changed(difference: Difference) -> str:
    old, new = ("missing" if value is None else f"{value:.8g}" for value in difference[2:])
    return f"{difference.metric} was {old} and is {new}"


def _same_again(
    trial: TrialRecord, first: int, epochs: list[list[Difference]], finals: list[Difference]
) -> str | None:
    """What is the same after a difference: an epoch that measured as much, or the final numbers.

    Nothing to be told of a trial that went on elsewhere, or under other code: each part has its own bits.
    """
    if len({_decides_bits(attempt) for attempt in trial.attempts if attempt is not None}) > 1:
        return None
    measured = set(trial.history[first].metrics)
    for position in range(first + 1, len(epochs)):
        if not epochs[position] and measured <= set(trial.history[position].metrics):
            return f"epoch {trial.history[position].epoch}"
    return "the end" if trial.final is not None and not finals else None


def _decides_bits(attempt: Attempt) -> tuple[object, ...]:
    return tuple(attempt.provenance.get(part) for part in ("code_sha256", "torch", "cpu", "cpu_capability"))


def _within_noise(record: SweepRecord, trial: TrialRecord, final: Mapping[str, float]) -> tuple[Verdict, str]:
    """Both judged numbers, each held to its share of the false alarms."""
    assert trial.final is not None
    trials = record.configurations[trial.plan.configuration_key]
    seeds = [one for one in trials if one.key != trial.key and _lost(one) == _lost(trial)]
    words, score = [], score_of(trial.config)
    unit = f" {score.unit}" if score.unit else ""
    for metric in (getattr(score, name) for name in JUDGED):
        old, new = trial.final[metric], final[metric]
        others = [seed.final[metric] for seed in seeds if seed.final is not None and metric in seed.final]
        change = abs(new - old)
        allowed = tolerance(old, new, others, 1 - FALSE_ALARMS / len(JUDGED))
        if allowed is None:
            return "DIVERGED", (
                f"{metric} moved by {change:.4g}{unit}, and the configuration has no second complete seed"
                " that ended alike: without a measured spread, nothing is within noise"
            )
        words.append(f"{metric} moved by {change:.4g}{unit}, its {1 + len(others)} seeds allow {allowed:.4g}")
        if not change <= allowed:
            return "DIVERGED", "; ".join(words)
    return "WITHIN_NOISE", "; ".join(words)


def _lost(trial: TrialRecord) -> bool:
    """Whether it ended worse than a coin for each pixel: such seeds spread unlike others."""
    nll, worst = (trial.final or {}).get("val/nll_final"), coin(trial)
    return nll is not None and worst is not None and nll > worst


def _bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)
