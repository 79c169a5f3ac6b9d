"""Two trainings of one configuration, compared bit by bit, and by what two seeds differ."""

import math
import struct
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from tracking.records import SweepRecord, TrialRecord
from tracking.report.statistics import pooled_variance, t_quantile

Verdict = Literal["BITWISE", "WITHIN_NOISE", "DIVERGED"]
# What a clock or the machine's memory says is not part of the result.
UNCOMPARED = ("time/", "throughput/", "system/")
JUDGED = ("val/nll_final", "test/nll")


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
    record: SweepRecord, trial: TrialRecord, final: Mapping[str, float] | None,
    epochs: list[list[Difference]], finals: list[Difference],
) -> tuple[Verdict, str]:  # fmt: skip
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
    if trial.final is None or final is None:
        return "DIVERGED", "the record has no final numbers, so there is no noise to measure by"
    return _within_noise(record, trial, final)


def _same_again(
    trial: TrialRecord, first: int, epochs: list[list[Difference]], finals: list[Difference]
) -> str | None:
    """What is the same after a difference: an epoch that measured as much, or the final numbers."""
    measured = set(trial.history[first].metrics)
    for position in range(first + 1, len(epochs)):
        if not epochs[position] and measured <= set(trial.history[position].metrics):
            return f"epoch {trial.history[position].epoch}"
    return "the end" if trial.final is not None and not finals else None


def _within_noise(record: SweepRecord, trial: TrialRecord, final: Mapping[str, float]) -> tuple[Verdict, str]:
    words = []
    assert trial.final is not None
    for metric in JUDGED:
        noise = seed_noise(record, trial, metric, final[metric])
        change = abs(final[metric] - trial.final[metric])
        if noise is None:
            return "DIVERGED", (
                "no configuration of the sweep has two complete seeds: without a measured spread, nothing"
                f" is within noise ({metric} moved by {change:.4g} nats)"
            )
        words.append(f"{metric} moved by {change:.4g} nats, two seeds differ by up to {noise:.4g}")
        if not change <= noise:
            return "DIVERGED", "; ".join(words)
    return "WITHIN_NOISE", "; ".join(words)


def seed_noise(record: SweepRecord, trial: TrialRecord, metric: str, reproduced: float) -> float | None:
    """By how much two seeds of one configuration differ, in the metric's unit.

    t(.975, ν) · s · √2, with the variance s² pooled over the configurations that have two complete seeds and
    the same data and evaluation. The trial counts once with its recorded and once with its reproduced value,
    and the smaller result holds: neither a wrong record nor a wrong reproduction widens its own tolerance.

    Returns:
        None when no configuration has two complete seeds.
    """
    found = [_noise(record, trial, metric, value) for value in (None, reproduced)]
    return min((noise for noise in found if noise is not None), default=None)


def _noise(record: SweepRecord, trial: TrialRecord, metric: str, replaced: float | None) -> float | None:
    groups: dict[str, list[float]] = {}
    for other in record.complete:
        comparable = (other.config.data, other.config.evaluation) == (
            trial.config.data,
            trial.config.evaluation,
        )
        if not comparable or other.final is None or metric not in other.final:
            continue
        own = other.key == trial.key and replaced is not None
        value = replaced if own and replaced is not None else other.final[metric]
        groups.setdefault(other.plan.configuration_key, []).append(value)
    pooled = pooled_variance(groups.values())
    return None if pooled is None else t_quantile(pooled.degrees) * math.sqrt(2 * pooled.variance)


def _bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)
