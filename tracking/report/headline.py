"""The answer in words: how much training time is a larger K worth?"""

from collections.abc import Sequence

from tracking.report.analysis import Analysis
from tracking.report.gains import Gain
from tracking.report.tables import Configuration
from tracking.report.timing import TimeFit
from tracking.report.words import (
    Ends,
    between,
    corrected,
    ends,
    listing,
    measured,
    nats,
    number,
    plural,
    verdict,
)


def headline(analysis: Analysis) -> list[str]:
    """Sentences with numbers and intervals, the most important first."""
    chosen = analysis.chosen
    if chosen is None:
        lines = [] if analysis.adjusted is None else [fit_sentence(analysis.adjusted)]
        return [_no_pair(analysis), *lines, *_best(analysis)]
    steps = [gain for gain in analysis.gains if gain.stratum == chosen.label]
    whole = next((gain for gain in steps if gain.whole), steps[0])
    sentences = [_whole(analysis, whole), *_on_test(whole)]
    sentences += _steps([gain for gain in steps if not gain.whole], analysis.replicated)
    sentences += _equal_seconds(analysis, chosen.label)
    fit = analysis.fit_of(chosen)
    if fit is not None:
        sentences.append(fit_sentence(fit))
    return sentences + _others(analysis, chosen.label) + _best(analysis)


def fit_sentence(fit: TimeFit) -> str:
    """The line t = a + b K in words."""
    a, b = fit.fit.interval("intercept"), fit.fit.interval("slope")
    (intercept, a_shown), (slope, b_shown) = measured(fit.fit.intercept, a), measured(fit.fit.slope, b)
    adjusted = f", adjusted for {listing(fit.adjusted_for)}," if fit.adjusted_for else ""
    words = f"Training time{adjusted} fits t = {intercept} s + {slope} s · K"
    if a is not None and b is not None:
        words += f" (95 % intervals: {a_shown} s and {b_shown} s per sample)"
    else:
        words += f" (through {plural(fit.fit.observations, 'configuration')}: too few for an interval)"
    parts = []
    if fit.epochs is not None:
        parts.append(f"{number(fit.fit.intercept / fit.epochs)} s of every epoch do not depend on K")
    if fit.per_step is not None:
        parts.append(f"each further sample costs {number(fit.per_step * 1e6)} µs per optimizer step")
    return f"{words}{': ' if parts else ''}{', and '.join(parts)}."


def _no_pair(analysis: Analysis) -> str:
    found = analysis.table.num_samples
    if len(found) == 1:
        return f"All complete trials have K = {found[0]}: this sweep does not say what a larger K is worth."
    return (
        "No two configurations differ in K alone, so no difference can be put down to K."
        " The adjusted line and the parameter importance below are the closest this sweep comes to an answer."
    )


def _whole(analysis: Analysis, gain: Gain) -> str:
    first, second = gain.first, gain.second
    where = f"With {gain.stratum}, going" if gain.stratum else "Going"
    words = f"{where} from K = {first.num_samples} to K = {second.num_samples} "
    if gain.seconds is not None:
        words += f"cost {_seconds_between(first, second, gain.seconds.value, ends(gain.seconds))} and "
    lower = gain.validation.value < 0
    change = "lowered" if lower else "raised"
    words += f"{change} validation NLL by {nats(abs(gain.validation.value))} nats"
    interval = _gained(corrected(gain.validation), lower)
    if interval is None:
        return (
            f"{words}. With one seed there is no interval: whether training again would show it is not known."
        )
    words += f" {between(interval)}"
    if not gain.validation.separable:
        return (
            f"{words}: not separable from zero, so these seeds do not show that the extra time buys anything."
        )
    if gain.rate is None or not lower:
        return f"{words}."
    shown, bracket = measured(gain.rate, gain.rate_interval, 2)
    rate = f"{shown} nats for each extra second"
    if gain.rate_interval is None:
        return f"{words}: {rate} (no interval: the extra seconds themselves are not separable from zero)."
    return f"{words}: {rate} {bracket}."


def _seconds_between(first: Configuration, second: Configuration, extra: float, interval: Ends) -> str:
    before, after = first.mean("train_seconds"), second.mean("train_seconds")
    shown, bracket = measured(extra, interval)
    words = f"{shown} s of training{f' {bracket}' if bracket else ''}"
    if before and after:
        words += f" ({number(before)} → {number(after)} s, ×{number(after / before)})"
    return words


def _on_test(gain: Gain) -> list[str]:
    if gain.test is None:
        return []
    lower = gain.test.value < 0
    words = f"On test data, which chose nothing, NLL is {nats(abs(gain.test.value))} nats"
    interval = _gained(corrected(gain.test), lower)
    words += f" {'lower' if lower else 'higher'}{f' {between(interval)}' if interval else ''}"
    return [f"{words}{'' if interval is None else f' ({verdict(gain.test)})'}."]


def _gained(interval: Ends, lower: bool) -> Ends:
    """The interval of a difference as that of its absolute value's sign."""
    if interval is None:
        return None
    return (-interval[1], -interval[0]) if lower else interval


def _steps(steps: Sequence[Gain], replicated: bool) -> list[str]:
    if len(steps) < 2:
        return []
    rates = [
        f"{gain.first.num_samples}→{gain.second.num_samples}: {number(gain.rate, 2)}"
        for gain in steps
        if gain.rate is not None
    ]
    sentences = []
    if rates:
        sentences.append(f"Nats for each extra second, step by step in K: {', '.join(rates)}.")
    if replicated:
        held = [gain for gain in steps if gain.validation.separable and gain.validation.value < 0]
        if held:
            last = held[-1]
            sentences.append(
                f"The last step up whose gain is separable from zero is K = {last.first.num_samples} →"
                f" {last.second.num_samples}; {len(held)} of {len(steps)} steps are separable gains."
            )
        else:
            sentences.append("No single step up in K shows a gain that is separable from zero.")
    return sentences


def _equal_seconds(analysis: Analysis, chosen: str) -> list[str]:
    found = next((budget for budget in analysis.budgets if budget.label == chosen), None)
    if found is None:
        return []
    rows = [(row, at) for row in found.rows if (at := row.at_seconds) is not None]
    if len(rows) < 2:
        return []
    lowest, at = min(rows, key=lambda pair: pair[1].mean)
    interval = ends(at)
    words = (
        f"After the same {number(found.seconds)} s of training, K = {lowest.configuration.num_samples} has"
    )
    words += (
        f" the lowest validation curve ({nats(at.mean)}{f' {between(interval)}' if interval else ''} nats,"
    )
    words += " at fewer samples and images than the final NLL)"
    if any(row.cut for row in found.rows):
        words += "; that time breaks off schedules, as named below"
    return [f"{words}."]


def _others(analysis: Analysis, chosen: str) -> list[str]:
    whole: dict[str, Gain] = {}
    for gain in analysis.gains:
        if gain.stratum not in whole or gain.whole:
            whole[gain.stratum] = gain
    others = [gain for label, gain in whole.items() if label != chosen]
    rates = [gain.rate for gain in others if gain.rate is not None]
    if not rates:
        return []
    low, high = number(min(rates), 2), number(max(rates), 2)
    spread = f"{low} to {high}" if low != high else low
    groups = "group that differs" if len(others) == 1 else f"{len(others)} groups that differ"
    return [
        f"In the other {groups} in K alone, from smallest to largest K, it was {spread} nats for each"
        " extra second."
    ]


def _best(analysis: Analysis) -> list[str]:
    best, row = analysis.best, analysis.best_row
    words = f"Lowest mean validation NLL: {row.name} with {nats(best.val_nll_final)} nats"
    words += f" {between(best.interval)}" if best.interval else ""
    words += f" over {plural(len(row.trials), 'seed')}"
    if best.test_nll is not None:
        interval = ends(row.estimate("test_nll"))
        words += f"; its test NLL is {nats(best.test_nll)}{f' {between(interval)}' if interval else ''}"
    rivals = sum(difference.separable is False for _, difference in analysis.against_best)
    if rivals:
        words += f". {plural(rivals, 'other configuration')} cannot be separated from it"
    return [f"{words}."]
