"""The time that a running sweep still needs, from its own pace.

The pace is that of the second half of the time since its first trial began: starting Ray, loading PyTorch and
the first epochs, which are slow, drop out of it, and a machine that became busier or freer is followed.
Before there is something to go on, there is no estimate: a first epoch alone is wrong by a factor of ten.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# Share of the work that has to be done since the first trial began, before a trial has ended.
ENOUGH = 0.05


@dataclass(frozen=True)
class Mark:
    """How far a sweep was.

    Attributes:
        time: when, seconds since 1970.
        done: work of its trials that was done (`sweeps.plan.forecast.TrialSeconds.done`).
        ended: trials that had ended.
    """

    time: float
    done: float
    ended: int


def time_left(marks: Sequence[Mark], total: float) -> float | None:
    """Seconds until all work is done; None while too little is done to say.

    Args:
        marks: by time, the first one when the session's first trial began, the last one now.
        total: work of all trials.
    """
    if len(marks) < 2:
        return None
    first, last = marks[0], marks[-1]
    if last.ended == first.ended and last.done - first.done < ENOUGH * (total - first.done):
        return None
    middle = first.time + (last.time - first.time) / 2
    start = marks[bisect_right(marks, middle, key=lambda mark: mark.time) - 1]
    gained, seconds = last.done - start.done, last.time - start.time
    if gained <= 0:  # nothing in the second half: the whole time is the better guide
        gained, seconds = last.done - first.done, last.time - first.time
    return seconds * (total - last.done) / gained if gained > 0 and seconds > 0 else None
