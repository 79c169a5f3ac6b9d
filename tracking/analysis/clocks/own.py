"""Why the seconds that trials measured are not those that their steps take alone."""

from collections import Counter
from collections.abc import Iterable
from statistics import median

from tracking.analysis.configurations import Configuration
from tracking.records.exclusive import machine_kind
from tracking.records.records import TrialRecord


def slowdown(rows: Iterable[Configuration]) -> float | None:
    """Median over trials of the seconds that they measured over those alone; None without a probe."""
    found = [
        measured / alone
        for row in rows
        for measured, alone in zip(
            row.values("train_seconds"), row.values("train_seconds_exclusive"), strict=False
        )
        if alone > 0
    ]
    return median(found) if found else None


def reasons(trials: Iterable[TrialRecord]) -> dict[str, int]:
    """What set the trials' own clocks apart from a machine of their own, and how many trials it concerns."""
    found: Counter[str] = Counter()
    for trial in trials:
        kind = machine_kind(trial.provenance)
        if trial.alone is not None and kind and kind != trial.alone.machine:
            found[f"ran on {kind}"] += 1
        if trial.timing.get("shared"):
            found[str(trial.timing.get("reason") or "no reason recorded")] += 1
    return dict(found)
