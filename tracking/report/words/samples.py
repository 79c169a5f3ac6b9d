"""Whether the number of importance samples decides the order of the configurations."""

import math
from itertools import combinations
from typing import NamedTuple

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration, Table
from tracking.records.ranking import fewest_final_samples
from tracking.statistics.intervals import variance
from tracking.statistics.numbers import nats, plural

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


def too_few(analysis: Analysis) -> list[str]:
    """That nothing is ranked, where the final likelihood has too few samples for it."""
    largest, used = analysis.table.num_samples[-1], analysis.table.yardstick.final_num_samples
    least = fewest_final_samples(largest)
    if used >= least:
        return []
    return [
        f"These NLLs rank nothing: −L at {used:,} importance samples is a training bound by another name, and"
        f" with K up to {largest:,} a ranking needs {least:,} or more (evaluation.final_num_samples)."
    ]


def turned_round(analysis: Analysis) -> list[str]:
    """That the number of samples decides the order of some configurations, with the plainest example."""
    table = analysis.table
    found = flips(table)
    if not found:
        return []
    worst = max(found, key=lambda flip: (analysis.best_row in flip[:2], min(flip.few, flip.final)))
    pairs = plural(math.comb(len(table.steady), 2), "pair")
    few, used = table.yardstick.few_num_samples, table.yardstick.final_num_samples
    return [
        f"The number of importance samples decides the order of {len(found)} of {pairs} of configurations: at"
        f" {few:,} samples {worst.first.name} is ahead of {worst.second.name} by {nats(worst.few)} nats, at"
        f" {used:,} it is {nats(worst.final)} behind. More samples may change it again."
    ]


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
