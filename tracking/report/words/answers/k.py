"""The answer: which K to take, what it costs, what it gives up, how sure that is, and what to do next."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.differences import Power
from tracking.analysis.recommendation import Doubt, Recommendation, Standing
from tracking.analysis.trials.columns import SCORE, SECONDS
from tracking.report.words.equal_seconds import at_equal_seconds
from tracking.report.words.time import beside
from tracking.statistics.numbers import listing, nats, number, plural


def answer(analysis: Analysis) -> list[str]:
    """Two to four sentences; the first stands alone."""
    found = analysis.recommendation
    if found is None:
        return [_no_pair(analysis)]
    if found.doubt is Doubt.NO_REPLICATES:
        return _no_replicates(found)
    if found.doubt is Doubt.BEST_HAS_ONE_SEED:
        return [
            f"{_with(found)}{_k(found.best)} has the lowest validation NLL but only one complete seed, so"
            " nothing can be compared with it: these data cannot say which K to use."
        ]
    if analysis.table.equal_seconds is not None and found.doubt is not Doubt.TOO_FEW_SAMPLES:
        return at_equal_seconds(analysis, found)
    judged = found.judged
    assert judged is not None  # the doubts above are those without one
    if found.doubt is not None:
        return _nothing_shown(found, judged)
    if found.chosen is not found.best:
        return _cheaper(found, judged)
    return _smallest(found, judged) if found.best is found.smallest else _best(found, judged)


def _cheaper(found: Recommendation, taken: Standing) -> list[str]:
    """A K that seeds do not separate from the best one."""
    row, best = taken.configuration, found.best
    why = "the smallest K that is not separable from the best"
    if found.open:
        why = f"the smallest K shown to keep more than half of the gain of {_k(best)}, the best"
    return [
        f"{_with(found, 'use')} {_k(row)}: {why}.",
        f"It costs {_cost(row, best)} and {_gives_up(taken)}; {_more_seeds(taken.power)} (sweeps extend).",
        *_open(found),
        *_unjudged(found),
    ]


def _best(found: Recommendation, taken: Standing) -> list[str]:
    best = taken.configuration
    why = "it has the lowest validation NLL, separable from every smaller K"
    if found.unjudged:
        why = f"it has the lowest validation NLL and is separable from {_k(found.smallest)}"
    if found.open:
        why = "it has the lowest validation NLL, and no smaller K is shown to keep half of its gain"
    said = [
        f"{_with(found, 'use')} {_k(best)}: {why}.",
        f"It costs {_cost(best, found.smallest)}.",
        *_open(found),
    ]
    if found.at_the_end:
        said.append("It is the largest K tried: a larger one may be better still (sweeps extend).")
    elif taken.at_most:
        said.append(f"Another K gains at most {nats(taken.at_most)} nats.")
    return [*said, *_unjudged(found)]


def _smallest(found: Recommendation, taken: Standing) -> list[str]:
    best, largest = taken.configuration, found.stratum.configurations[-1]
    why = "it has the lowest validation NLL, and it is the smallest K tried"
    said = [f"{_with(found, 'use')} {_k(best)}: {why}.", f"It costs {_cost(best, largest)}."]
    if taken.at_most:
        said.append(f"A larger K gains at most {nats(taken.at_most)} nats.")
    else:
        said.append("Every larger K is worse.")
    return [*said, *_unjudged(found)]


def _nothing_shown(found: Recommendation, judged: Standing) -> list[str]:
    row, best = found.smallest, found.best
    if found.doubt is Doubt.TOO_FEW_SAMPLES:
        return [_capital(f"{_with(found)}this sweep cannot say which K to use.")]
    said = f"{_with(found)}these seeds cannot say which K to use:"
    if row is best:
        farthest = max(found.standings, key=lambda one: one.gives_up.value if one.gives_up else 0.0)
        return [
            _capital(
                f"{said} {_k(best)} has the lowest validation NLL, but no other K is separable from it."
            ),
            f"Another K may be better by up to {nats(judged.at_most)} nats.",
            *_seen(farthest.power),
            *_unjudged(found),
        ]
    return [
        _capital(f"{said} the best, {_k(best)}, is not separable from the smallest, {_k(row)}."),
        f"{_k(row)} costs {_cost(row, best)} and {_gives_up(judged)}.",
        *_seen(judged.power),
        *_unjudged(found),
    ]


def _no_replicates(found: Recommendation) -> list[str]:
    best, first = found.best, found.stratum.configurations[0]
    said = _capital(
        f"{_with(found)}one seed per K cannot say which K to use: other seeds may change the order."
    )
    lowest = best.mean(SCORE) or 0.0
    words = f"{_k(best)} has the lowest validation NLL, {nats(lowest)} nats"
    if best is not first:
        lead = (first.mean(SCORE) or 0.0) - lowest
        words += f", {nats(lead)} below {_k(first)},"
    return [
        said,
        f"{words} and costs {_cost(best, first)}.",
        "Add seeds (sweeps extend): three or more per K.",
    ]


def _no_pair(analysis: Analysis) -> str:
    found = analysis.table.num_samples
    if len(found) == 1:
        return f"All complete trials have K = {found[0]}: this sweep cannot say which K to use."
    if analysis.chosen is not None:
        return "All K's but one diverged: this sweep cannot say which K to use."
    return (
        "No two configurations differ in K alone, so this sweep cannot say which K to use: no difference can"
        " be attributed to K."
    )


def _gives_up(one: Standing) -> str:
    """What a K gives up, at most and as measured."""
    assert one.gives_up is not None
    return f"gives up at most {nats(one.at_most)} nats (95 %; estimate: {nats(one.gives_up.value)})"


def _open(found: Recommendation) -> list[str]:
    """The smaller K's that more seeds may show to do as well."""
    said = []
    for one in found.open:
        words = f"{_k(one.configuration)} is not separable from the best either, but may give up as much as"
        said.append(f"{words} {nats(one.at_most)} nats; {_more_seeds(one.power)}.")
    return said


def _more_seeds(power: Power | None) -> str:
    if power is None or power.more_seeds is None:
        return "more than 200 more seeds would be needed to separate them"
    return f"{plural(power.more_seeds, 'more seed')} would separate them"


def _seen(power: Power | None) -> list[str]:
    """What these seeds could have shown, and how many would show what was measured."""
    if power is None:
        return []
    words = f"With these seeds {number(power.smallest, 2)} nats are separable in 80 % of sweeps"
    if power.more_seeds is None:
        return [f"{words}; the measured one would take more than 200 more seeds."]
    return [f"{words}; the measured one takes {plural(power.more_seeds, 'more seed')} (sweeps extend)."]


def _unjudged(found: Recommendation) -> list[str]:
    if not found.unjudged:
        return []
    have = "has" if len(found.unjudged) == 1 else "have"
    return [f"{listing([_k(row) for row in found.unjudged])} {have} one complete seed and cannot be judged."]


def _cost(row: Configuration, other: Configuration) -> str:
    """``2.5 s of training (K = 50: 4.5 s)``."""
    seconds, others = row.mean(SECONDS), other.mean(SECONDS)
    if seconds is None:
        return "an unknown training time"
    how = beside([row, other])
    compared = "" if others is None or row is other else f"{_k(other)}: {number(others)} s"
    inside = "; ".join(filter(None, [compared, how]))
    return f"{number(seconds)} s of training{f' ({inside})' if inside else ''}"


def _with(found: Recommendation, verb: str = "") -> str:
    """``With linear annealing, use``, or ``Use`` where nothing else is varied."""
    label = found.stratum.label
    start = f"With {label}, " if label else ""
    return start + verb if start else verb.capitalize()


def _k(row: Configuration) -> str:
    return f"K = {row.num_samples}"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def instead_of_the_best(found: Recommendation | None) -> str:
    """In one line, the K to take where it is not the best one; empty where it is, or none is."""
    if found is None or found.chosen is None or found.chosen is found.best or found.judged is None:
        return ""
    return f"{_k(found.chosen)} instead costs {_cost(found.chosen, found.best)} and {_gives_up(found.judged)}"
