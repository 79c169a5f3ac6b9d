"""What figures show of the spread over seeds, and how far their axes reach.

Tables and files hold every interval as it is. A figure is read by its means: the interval of two seeds has
one degree of freedom and reaches 12.7 standard errors to either side, which would set the scale alone.
"""

import math
from collections.abc import Iterable, Sequence

from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import RANKS
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import Ends, ends

FEWEST_FOR_A_BAR = 3
MARGIN, PAST_POSSIBLE = 0.08, 0.02  # shares of what is shown
BARS = "Bars are 95 % intervals over seeds, cut off at the edge of the axis."
DIVERGED = " Configurations that diverged may be beyond the axis: see the table."
DOTS = "Small dots are single seeds, for configurations that have two."
WHY = (
    " An interval from two seeds has one degree of freedom and is wide, so it is in the table, not in the"
    " figures."
)


def bar(row: Configuration, column: str, estimate: Estimate | None) -> Ends:
    """The column's interval; None with fewer than three seeds."""
    interval = ends(estimate)
    if interval is None or estimate is None or estimate.count < FEWEST_FOR_A_BAR:
        return None
    return interval


def dots(row: Configuration, column: str) -> tuple[float, ...]:
    """The seeds' own values where there are two; else none, since a bar or the point says it."""
    values = row.values(column)
    return values if 1 < len(values) < FEWEST_FOR_A_BAR else ()


def view(rows: Iterable[Configuration], columns: Sequence[str], zero: bool = False) -> tuple[float, float]:
    """How far an axis reaches: all seeds' values, the bars that are drawn, a margin.

    Configurations that diverged do not set the scale of a score: thousands of nats would hide all others.

    Args:
        rows: what is drawn on it.
        columns: what is drawn of them.
        zero: whether the axis starts at zero.
    """
    shown, least, most = [0.0] if zero else [], math.inf, -math.inf
    drawn = list(rows)
    steady = [row for row in drawn if not row.diverged] or drawn
    for column in columns:
        for row in steady if column in RANKS else drawn:
            estimate = row.estimate(column)
            shown += [*row.values(column), *(bar(row, column, estimate) or ())]
            low, high = row.possible(column)
            least, most = min(least, low), max(most, high)
    if not shown:
        return 0.0, 1.0
    span = (max(shown) - min(shown)) or abs(max(shown)) or 1.0
    low = max(min(shown) - MARGIN * span, least - PAST_POSSIBLE * span)
    high = min(max(shown) + MARGIN * span, most + PAST_POSSIBLE * span)
    return 0.0 if zero else low, high


def note(rows: Iterable[Configuration], why: bool = False) -> str:
    """What bars and dots are, where there are any; ``why`` adds the reason for the dots."""
    counts = {len(row.trials) for row in rows}
    parts = [BARS] if any(count >= FEWEST_FOR_A_BAR for count in counts) else []
    parts += [DOTS + WHY * why] if 2 in counts else []
    return " ".join(parts)


def beyond(rows: Iterable[Configuration]) -> str:
    """That some points of an NLL may be out of sight, where they may."""
    return DIVERGED if any(row.diverged for row in rows) else ""
