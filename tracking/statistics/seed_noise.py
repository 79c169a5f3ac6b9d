"""By how much a second training may differ from a recorded one and still be what another seed would give."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from tracking.statistics.intervals import t_quantile, variance

# From here on Student's t has the quantile that simulation gives.
_MANY_SEEDS = 10
_DRAWS = 200_000


def tolerance(old: float, new: float, others: Sequence[float], confidence: float) -> float | None:
    """The largest |new − old| that ``confidence`` of second trainings stay below, however much they drift.

    At worst a second training has nothing in common with the first but its configuration: it is another seed.
    The spread is taken once with the recorded and once with the reproduced value, and the smaller holds, so
    that neither a wrong record nor a wrong reproduction widens its own tolerance. Two seeds allow much.

    Args:
        old: the recorded value.
        new: the reproduced one.
        others: values of the configuration's other complete seeds.
        confidence: of the statement.

    Returns:
        None without another seed: there is no spread.
    """
    if not others:
        return None
    spread = math.sqrt(min(variance([value, *others]) for value in (old, new)))
    return quantile(1 + len(others), confidence) * math.sqrt(2) * spread


@cache
def quantile(seeds: int, confidence: float) -> float:
    """Of |new − old| / (√2 s), s being the smaller spread of ``seeds`` values with one of the two."""
    if seeds >= _MANY_SEEDS:
        return t_quantile(seeds - 1, confidence)
    values = np.random.default_rng(0).standard_normal((seeds + 1, _DRAWS))
    spreads = [np.delete(values, drawn, axis=0).std(axis=0, ddof=1) for drawn in (0, 1)]
    ratio = np.abs(values[1] - values[0]) / (math.sqrt(2) * np.minimum(*spreads))
    return float(np.quantile(ratio, confidence))
