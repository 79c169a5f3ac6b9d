"""A trial of a sweep, found by what a person calls it."""

import random

from tracking.errors import RecordError
from tracking.records.records import SweepRecord, TrialRecord

# What names a trial: the trial itself, its name, its key or the key's beginning.
Trial = str | TrialRecord


def trial_of(record: SweepRecord, which: Trial) -> TrialRecord:
    """The trial with this name (``K=50 D=20 s0``) or key.

    Raises:
        RecordError: the sweep has none, or several.
    """
    if isinstance(which, TrialRecord):
        return which
    found = matching(record, which)
    if len(found) != 1:
        number = "no trial" if not found else f"{len(found)} trials"
        raise RecordError(f"{record.name} has {number} {which!r}: must be a trial's name or key")
    return found[0]


def matching(record: SweepRecord, which: str) -> list[TrialRecord]:
    """The trials whose name this is, or whose key begins with it."""
    if not which:
        return []
    return [trial for trial in record.trials if which == trial.plan.name or trial.key.startswith(which)]


def drawn(record: SweepRecord, number: int, seed: int) -> list[TrialRecord]:
    """So many of the complete trials, each once, in the plan's order; the same ones for the same seed.

    Raises:
        RecordError: the sweep has fewer.
    """
    complete = list(record.complete)
    if number > len(complete):
        raise RecordError(
            f"--sample: {number} is not allowed: must be at most {len(complete)}, the complete trials of"
            f" {record.name}"
        )
    return [complete[place] for place in sorted(random.Random(seed).sample(range(len(complete)), number))]
