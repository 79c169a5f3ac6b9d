"""Sentences about the number of importance samples and the order of the configurations."""

import math

from tracking.analysis.analysis import Analysis
from tracking.analysis.order import flips
from tracking.records.comparable.yardstick import fewest_final_samples
from tracking.statistics.numbers import nats, plural


def too_few(analysis: Analysis) -> list[str]:
    """That the final likelihood has too few samples for a ranking, where it has."""
    largest, used = analysis.table.num_samples[-1], analysis.table.yardstick.final_num_samples
    least = fewest_final_samples(largest)
    estimates = any(row.evidence == "estimate" for row in analysis.table.configurations)
    if used >= least or not estimates:
        return []
    return [
        f"These NLLs cannot rank configurations: −L at {plural(used, 'importance sample')} is a training"
        f" bound under another name. With K up to {largest:,} a ranking needs at least {least:,} samples"
        " (evaluation.final_num_samples)."
    ]


def concerns_answer(analysis: Analysis) -> bool:
    """Whether configurations that differ in K alone, those that answer for K, change places."""
    rows = () if analysis.chosen is None else analysis.chosen.configurations
    return any(flip.first in rows and flip.second in rows for flip in flips(analysis.table))


def turned_round(analysis: Analysis) -> list[str]:
    """That the order of some configurations depends on the number of samples, with the clearest example."""
    table = analysis.table
    found = flips(table)
    if not found:
        return []
    worst = max(found, key=lambda flip: (analysis.best_row in flip[:2], min(flip.few, flip.final)))
    pairs = plural(math.comb(len(table.steady), 2), "pair")
    few, used = table.yardstick.few_num_samples, table.yardstick.final_num_samples
    return [
        f"The order of {len(found)} of {pairs} of configurations depends on the number of importance samples:"
        f" at {few:,} samples {worst.first.name} is ahead of {worst.second.name} by {nats(worst.few)} nats,"
        f" at {used:,} it is {nats(worst.final)} behind. More samples may change the order again."
    ]
