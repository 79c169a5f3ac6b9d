"""Pairs of configurations whose order the number of importance samples decides."""

import math
from itertools import combinations
from typing import NamedTuple

from tracking.analysis.configurations import Configuration, Table
from tracking.statistics.intervals import variance

FEW, FINAL = "val_nll_few", "val_nll_final"


class Flip(NamedTuple):
    """Two configurations of which ``first`` is ahead at few samples and behind at the final number.

    Attributes:
        few: by how much it is ahead, nats.
        final: by how much it is behind, nats.
    """

    first: Configuration
    second: Configuration
    few: float
    final: float


def flips(table: Table) -> list[Flip]:
    """Pairs of configurations that change places, each time by more than two standard errors."""
    rows = [row for row in table.steady if row.mean("val_nll_few") is not None]
    used = table.yardstick
    widening = math.sqrt(used.final_num_samples / used.few_num_samples)
    found = []
    for one, other in combinations(rows, 2):
        ahead, behind = (one, other) if _mean(one, FEW) < _mean(other, FEW) else (other, one)
        few, final = _mean(behind, FEW) - _mean(ahead, FEW), _mean(ahead, FINAL) - _mean(behind, FINAL)
        few_error = math.hypot(*(_error(row, FEW, widening) for row in (ahead, behind)))
        final_error = math.hypot(*(_error(row, FINAL, 1.0) for row in (ahead, behind)))
        if few > 2 * few_error and final > 2 * final_error:
            found.append(Flip(ahead, behind, few, final))
    return found


def _mean(row: Configuration, column: str) -> float:
    mean = row.mean(column)
    assert mean is not None
    return mean


def _error(row: Configuration, column: str, widening: float) -> float:
    """Standard error of the mean over seeds: of the seeds where there are two, else of the samples.

    Older records do not have the error of the samples; it then counts as 0.
    """
    values, errors = row.values(column), row.values("val_nll_mc_error")
    samples = widening * math.hypot(*errors) / len(errors) if errors else 0.0
    return max(samples, math.sqrt(variance(values) / len(values))) if len(values) > 1 else samples
