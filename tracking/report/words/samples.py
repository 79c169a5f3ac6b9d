"""Whether the number of importance samples decides the order of the configurations."""

import math

from tracking.analysis.analysis import Analysis
from tracking.analysis.order import flips
from tracking.records.ranking import fewest_final_samples
from tracking.statistics.numbers import nats, plural


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
