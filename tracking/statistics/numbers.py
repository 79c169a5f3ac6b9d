"""Numbers as a reader wants them: enough digits, a real minus sign, an interval in brackets."""

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they load SciPy, which a sweep's first words do not wait for
    from tracking.statistics.comparisons import Difference
    from tracking.statistics.intervals import Estimate

Ends = tuple[float, float] | None


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, whole digits never rounded away, without an exponent."""
    if value == 0:
        return "0"
    if 0 < abs(value) < 1e-4:
        return minus(f"{value:.{digits - 1}e}")
    before = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if before:
        return minus(f"{value:,.{max(0, digits - before)}f}")
    return minus(f"{value:.{digits}g}")


def minus(shown: str) -> str:
    """Text with a typographic minus sign in front of a negative number, and none in front of a zero."""
    if not shown.startswith("-"):
        return shown
    return "−" + shown[1:] if shown.strip("-0.,+") else shown[1:]


def nats(value: float) -> str:
    """Nats to the hundredth, without the unit."""
    return minus(f"{value:,.2f}")


def signed(value: float) -> str:
    """A difference in nats, with its sign."""
    return "+" + nats(value) if value >= 0 else nats(value)


def between(ends: Ends, show: str = "nats") -> str:
    """An interval in brackets, in nats or to its second significant digit; empty where there is none."""
    if ends is None:
        return ""
    low, high = ends
    if show == "nats":
        return f"[{nats(low)}, {nats(high)}]"
    return measured(low, ends)[1]


def measured(value: float, ends: Ends, digits: int = 3) -> tuple[str, str]:
    """A value and its interval, to the same decimal place: the interval's second significant digit.

    A value of which that leaves a single digit gets one place more: a lone 3 looks like a count.
    """
    if ends is None:
        return number(value, digits), ""
    low, high = ends
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return number(value, digits), f"[{number(low, digits)}, {number(high, digits)}]"
    places = min(9, max(0, 2 - _exponent(high - low)))
    if len(f"{abs(value):.{places}f}".replace(".", "").lstrip("0")) == 1:
        places += 1
    shown = [minus(f"{x:,.{places}f}") for x in (value, low, high)]
    return shown[0], f"[{shown[1]}, {shown[2]}]"


def ends(estimate: "Estimate | Difference | None") -> Ends:
    """The ends of a 95 % interval, where there is one."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high


def verdict(difference: "Difference") -> str:
    """What may be said about a difference."""
    words = {True: "separable", False: "not separable", None: "no interval"}
    return words[difference.separable]


def times(ratio: "Difference | None") -> tuple[str, str]:
    """A logarithm of a ratio as ``×1.14`` and the interval of that ratio, where there is one."""
    if ratio is None:
        return "", ""
    interval = ends(ratio)
    if interval is None:
        return f"×{number(exp(ratio.value))}", ""
    low, high = exp(interval[0]), exp(interval[1])
    if high > 10 * low:
        return f"×{number(exp(ratio.value), 2)}", f"[{number(low, 2)}, {number(high, 2)}]"
    shown, bracket = measured(exp(ratio.value), (low, high))
    return f"×{shown}", bracket


def listing(words: Sequence[str], most: int = 8) -> str:
    """``a, b and c``; beyond ``most``, the number of those left out."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def plural(count: int, word: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _exponent(value: float) -> int:
    """Digits before the decimal point; of .05 it is −1."""
    return int(f"{value:e}".partition("e")[2]) + 1
