"""The answer where models vary: which has the lowest score, what it costs, and what its number is."""

from collections.abc import Sequence
from itertools import groupby

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import SECONDS, TEST_SCORE
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import ends, listing, number

KINDS_OF_EVIDENCE = ("exact", "estimate", "bound")
Named = tuple[str, Configuration]


def asked(analysis: Analysis) -> bool:
    """Whether the first question is which model to take, and not which K; a single one is simply told."""
    alone = len(analysis.table.configurations) == 1
    return bool(analysis.kinds) or alone or not analysis.table.score.is_likelihood


def which_model(analysis: Analysis) -> list[str]:
    """Two to four sentences; the first stands alone."""
    named = subjects(analysis)
    label = named[0][0]
    score = analysis.table.score
    value = score.amount(analysis.best.value)
    if len(named) == 1:
        return [
            f"{label} has a validation {score.name} of {value}; there is nothing to compare it with.",
            *_test(analysis),
        ]
    counted = f"{len(named)} {'models' if analysis.kinds else 'configurations'}"
    near = [name for name, row in named[1:] if (found := against(analysis, row)) and found.separable is False]
    silent = [
        name
        for name, row in named[1:]
        if not row.diverged and (found := against(analysis, row)) and found.separable is None
    ]
    said = f"Of {counted}, {label} has the lowest validation {score.name}, {value}"
    if len(silent) == len(named) - 1:
        said += "; with one seed each, other seeds may change the order"
    elif near:
        said += f"; {listing(near, 4)} {'is' if len(near) == 1 else 'are'} not separable from it"
    elif not silent:
        said = f"Use {label}: of {counted} it has the lowest validation {score.name}, {value}"
        said += ", separable from every other"
    if silent and len(silent) < len(named) - 1:
        said += f"; {listing(silent, 4)} {'has' if len(silent) == 1 else 'have'} one seed and no interval"
    return [
        f"{said}.",
        *_cost(analysis, named, near),
        *_test(analysis),
        *evidence(analysis),
        *truth(analysis),
    ]


def subjects(analysis: Analysis) -> list[Named]:
    """What is compared, the best first: each kind of model by its best configuration, else configurations."""
    if analysis.kinds:
        return [(kind.label, kind.best) for kind in analysis.kinds]
    others = [(row.name, row) for row, _ in analysis.against_best]
    return [(analysis.best_row.name, analysis.best_row), *others]


def against(analysis: Analysis, row: Configuration) -> Difference | None:
    """A configuration's score minus the best's; None of the best itself."""
    return next((found for other, found in analysis.against_best if other is row), None)


def _cost(analysis: Analysis, named: Sequence[Named], near: Sequence[str]) -> list[str]:
    """What the best costs, and the fastest model that seeds do not separate from it."""
    seconds = analysis.best_row.mean(SECONDS)
    if seconds is None:
        return []
    said = f"It trains for {number(seconds)} s"
    faster = [
        (other, name, row)
        for name, row in named[1:]
        if name in near and (other := row.mean(SECONDS)) is not None and other < seconds
    ]
    if faster:
        least, name, row = min(faster, key=lambda one: one[0])
        found, score = against(analysis, row), analysis.table.score
        said += f"; {name} takes {number(least)} s"
        if found is not None and found.high is not None:
            gives = score.amount(max(0.0, found.high))
            said += f" and gives up at most {gives} (95 %; estimate: {score.show(found.value)})"
    return [f"{said}."]


def _test(analysis: Analysis) -> list[str]:
    value, score = analysis.best.test_value, analysis.table.score
    if value is None:
        return []
    interval = score.between(ends(analysis.best_row.estimate(TEST_SCORE)))
    return [
        f"Its test {score.name}, which no choice used, is {score.amount(value)} {interval}".rstrip() + "."
    ]


def evidence(analysis: Analysis) -> list[str]:
    """What the NLLs are, where they are not all estimates: exact, −L at many samples, upper bounds."""
    named = subjects(analysis)
    found = sorted({row.evidence for row in analysis.table.configurations if row.evidence != "none"})
    if found in ([], ["estimate"]):
        return []
    samples = f"{analysis.table.yardstick.final_num_samples:,}"
    words = {
        "exact": ("exact", "exact"),
        "estimate": (
            f"an estimate from above, −L at {samples} samples",
            f"estimates from above, −L at {samples} samples",
        ),
        "bound": (
            "an upper bound, so its model may be better than it says",
            "upper bounds, so their models may be better than they say",
        ),
    }
    place = KINDS_OF_EVIDENCE.index
    ordered = sorted(named, key=lambda one: place(one[1].evidence))
    parts = []
    for kind, group in groupby(ordered, key=lambda one: one[1].evidence):
        labels = [label for label, _ in group]
        of = "that of" if len(labels) == 1 else "those of"
        verb, what = ("is", words[kind][0]) if len(labels) == 1 else ("are", words[kind][1])
        parts.append(f"{of} {listing(labels, 5)} {verb} {what}")
    return [f"What the NLLs are: {'; '.join(parts)}."]


def truth(analysis: Analysis) -> list[str]:
    """How far the best is above the NLL of the data's own distribution, where that is known."""
    known = analysis.best_row.mean("true_nll")
    if known is None or not analysis.table.score.is_likelihood:
        return []
    score, gap = analysis.table.score, analysis.best.value - known
    where = "above" if gap >= 0 else "below"
    return [
        f"The distribution that the data were drawn from is known: its NLL on these items is"
        f" {score.amount(known)}, and {_best_label(analysis)} is {score.show(abs(gap))} {where} it."
    ]


def _best_label(analysis: Analysis) -> str:
    return subjects(analysis)[0][0]
