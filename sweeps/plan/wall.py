"""The wall-clock time of a sweep, with an interval: its trials on so many places, drawn many times."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeps.plan.forecast import Basis

# The interval holds the sweep's time in this share of cases.
COVERAGE = 0.9
# Fitted to sweeps: `python tests/benchmarks/service/forecast.py`. Seconds beside the trials: of a command
# before its driver is entered in storage (PyTorch, MLflow, Ray), of the first workers and the probe, of the
# report.
START_SECONDS, SESSION_SECONDS, REPORT_SECONDS = 8.0, 15.0, 7.0
AROUND_DEVIATION = 0.2
# CPU seconds of the driver and of Ray for each trial, and for each epoch of it: it works beside the trials.
DRIVER_TRIAL_SECONDS, DRIVER_EPOCH_SECONDS = 0.6, 0.006
# Standard deviations of the logarithm: of what all trials have in common, such as how fast the machine is on
# that day, and of each trial's own.
COMMON_DEVIATION: dict[Basis, float] = {"probe": 0.1, "trials": 0.35, "work": 0.7}
OWN_DEVIATION = 0.1
_DRAWS, _MOST_DRAWN = 400, 200_000

# Seconds and epochs of a sweep's trials, in their order; drawn anew where a sampler will suggest them.
Draw = Callable[[random.Random], Sequence[tuple[float, int]]]


@dataclass(frozen=True)
class Range:
    """A number that is not known yet.

    Attributes:
        middle: the median.
        low: lower end of the interval that holds it with probability ``COVERAGE``.
        high: upper end.
    """

    middle: float
    low: float
    high: float

    def times(self, factor: float) -> "Range":
        """So many times as much."""
        return Range(self.middle * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Places:
    """Where trials run at once.

    Attributes:
        number: trials at once.
        cpus: CPUs of a trial.
        cores: of the machine, or cluster.
    """

    number: int
    cpus: float
    cores: float


class Simulated(NamedTuple):
    """What a sweep takes.

    Attributes:
        session: from its driver's entry in storage to its end, seconds.
        wall: from the command to its last word, seconds.
        hours: of its trials together.
    """

    session: Range
    wall: Range
    hours: Range


def simulated(draw: Draw, places: Places, basis: Basis) -> Simulated:
    """What a sweep takes, from many that are drawn.

    Args:
        draw: its trials.
        places: where they run.
        basis: what their seconds rest on.
    """
    source = random.Random(0)
    number = max(40, min(_DRAWS, _MOST_DRAWN // max(1, len(draw(source)))))
    sweeps = [_sweep(draw(source), places, COMMON_DEVIATION[basis], source) for _ in range(number)]
    return Simulated(*(_range(values) for values in zip(*sweeps, strict=True)))


def _sweep(
    trials: Sequence[tuple[float, int]], places: Places, deviation: float, source: random.Random
) -> tuple[float, float, float]:
    """One sweep: each trial takes the place that is free first."""
    slower = source.lognormvariate(0, AROUND_DEVIATION)
    common = crowding(trials, places) * source.lognormvariate(0, deviation)
    free, total = [0.0] * max(1, min(places.number, len(trials))), 0.0
    for seconds, _ in trials:
        own = seconds * common * source.lognormvariate(0, OWN_DEVIATION)
        heapq.heapreplace(free, free[0] + own)
        total += own
    session = max(free) + SESSION_SECONDS * slower
    return session, session + (START_SECONDS + REPORT_SECONDS) * slower, total / 3600


def _range(values: Sequence[float]) -> Range:
    ordered, tail = sorted(values), (1 - COVERAGE) / 2
    return Range(*(ordered[round(share * (len(ordered) - 1))] for share in (0.5, tail, 1 - tail)))


def crowding(trials: Sequence[tuple[float, int]], places: Places) -> float:
    """By how much trials take longer together than one alone: the driver works on the same cores."""
    seconds = sum(taken for taken, _ in trials)
    if not seconds:
        return 1.0
    driver = sum(DRIVER_TRIAL_SECONDS + DRIVER_EPOCH_SECONDS * epochs for _, epochs in trials)
    return max(1.0, min(places.number, len(trials)) * (places.cpus + driver / seconds) / places.cores)
