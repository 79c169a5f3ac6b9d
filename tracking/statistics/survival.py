"""How long something takes, where watching ended before it happened to some (Kaplan and Meier 1958)."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from tracking.statistics.intervals import CONFIDENCE

# With fewer the interval of a median has no upper end, even where all got there.
FEWEST_FOR_INTERVAL = 8


@dataclass(frozen=True)
class MedianTime:
    """The median of a time that is right-censored for some.

    Attributes:
        median: None where fewer than half were seen to get there.
        low: lower end of its 95 % interval; None with fewer than ``FEWEST_FOR_INTERVAL``.
        high: upper end; None where it is unbounded too.
        first: the shortest time seen; None if there was none.
        last: the longest; None where some were not seen to get there.
        reached: how many got there.
        count: how many were watched.
    """

    median: float | None
    low: float | None
    high: float | None
    first: float | None
    last: float | None
    reached: int
    count: int


def median_time(reached: Iterable[float], censored: Iterable[float]) -> MedianTime:
    """Kaplan and Meier's median, with the interval of Brookmeyer and Crowley (1982) on the log-log scale.

    Args:
        reached: times at which it happened.
        censored: times up to which it had not happened, of those for whom it was not seen; why watching ended
            has nothing to do with how long it would have taken.
    """
    seen, lost = [float(time) for time in reached], [float(time) for time in censored]
    count = len(seen) + len(lost)
    if not seen:
        return MedianTime(None, None, None, None, None, 0, count)
    found = stats.ecdf(stats.CensoredData(uncensored=seen, right=lost)).sf
    times, low, high = found.quantiles.tolist(), None, None
    if count >= FEWEST_FOR_INTERVAL:
        with warnings.catch_warnings():
            # Where none is left the bounds of the share are undefined: there the interval has no end.
            warnings.simplefilter("ignore", RuntimeWarning)
            bounds: Any = found.confidence_interval(CONFIDENCE, method="log-log")
        low, high = (_first(times, bound.probabilities.tolist()) for bound in (bounds.low, bounds.high))
    return MedianTime(
        median=_median(times, found.probabilities.tolist()),
        low=low,
        high=high,
        first=min(seen),
        last=None if lost else max(seen),
        reached=len(seen),
        count=count,
    )


def _median(times: Sequence[float], left: Sequence[float]) -> float | None:
    """The first time at which no more than half are left; between two where exactly half are."""
    first = _first(times, left)
    later = [time for time, share in zip(times, left, strict=True) if share < 0.5 - 1e-9]
    exact = any(abs(share - 0.5) < 1e-9 for share in left)
    return (first + float(later[0])) / 2 if first is not None and exact and later else first


def _first(times: Sequence[float], left: Sequence[float]) -> float | None:
    return next((float(t) for t, share in zip(times, left, strict=True) if share <= 0.5 + 1e-9), None)
