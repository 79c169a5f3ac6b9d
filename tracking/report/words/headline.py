"""The answer in words: how much training time is a larger K worth?"""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.gains import Gain
from tracking.report.words.samples import too_few, turned_round
from tracking.report.words.time import beside, equal_seconds, fit_sentence
from tracking.statistics.numbers import (
    Ends,
    between,
    ends,
    listing,
    measured,
    nats,
    number,
    plural,
    times,
    verdict,
)


def headline(analysis: Analysis) -> list[str]:
    """Sentences with numbers and intervals, the most important first."""
    answer, *more = _answer(analysis)
    return [*too_few(analysis), answer, *turned_round(analysis), *more]


def _answer(analysis: Analysis) -> list[str]:
    chosen = analysis.chosen
    if chosen is None:
        how = beside(analysis.table.configurations)
        lines = [] if analysis.adjusted is None else [fit_sentence(analysis.adjusted, how)]
        return [_no_pair(analysis), *lines, *_diverged(analysis), *_best(analysis)]
    steps = [gain for gain in analysis.gains if gain.stratum == chosen.label]
    whole = next((gain for gain in steps if gain.whole), steps[0])
    sentences = [_whole(analysis, whole), *_on_test(whole)]
    sentences += _steps(analysis, [gain for gain in steps if not gain.whole])
    sentences += equal_seconds(analysis, chosen.label)
    fit = analysis.fit_of(chosen)
    if fit is not None:
        sentences.append(fit_sentence(fit, beside(chosen.configurations)))
    return sentences + _others(analysis, chosen.label) + _diverged(analysis) + _best(analysis)


def _no_pair(analysis: Analysis) -> str:
    found = analysis.table.num_samples
    if len(found) == 1:
        return f"All complete trials have K = {found[0]}: this sweep cannot say what a larger K is worth."
    return (
        "No two configurations differ in K alone, so no difference can be attributed to K."
        " The adjusted line and the parameter importance below come closest to an answer."
    )


def _whole(analysis: Analysis, gain: Gain) -> str:
    first, second = gain.first, gain.second
    where = f"With {gain.stratum}, going" if gain.stratum else "Going"
    words = f"{where} from K = {first.num_samples} to K = {second.num_samples} "
    if gain.seconds is not None:
        words += f"cost {_seconds_between(gain, gain.seconds)} and "
    lower = gain.validation.value < 0
    change = "lowered" if lower else "raised"
    words += f"{change} validation NLL by {nats(abs(gain.validation.value))} nats"
    interval = _gained(ends(gain.validation), lower)
    if interval is None:
        return f"{words}. {_no_interval(gain)}: it is unknown whether other seeds would show the same."
    words += f" {between(interval)}"
    if not gain.validation.separable:
        return f"{words}: not separable from zero, so these seeds do not show that the extra time pays off."
    if gain.rate is None or not lower:
        return f"{words}."
    if not gain.rated:
        return f"{words}. The extra seconds themselves are not separable from zero, so there is no rate."
    shown, bracket = measured(gain.rate, gain.rate_interval, 2)
    return f"{words}: {shown} nats per extra second {bracket}."


def _no_interval(gain: Gain) -> str:
    for row in (gain.first, gain.second):
        if row.diverged:
            return f"K = {row.num_samples} diverged ({row.diverged}), so there is no interval"
    return "With one seed there is no interval"


def _seconds_between(gain: Gain, extra: float) -> str:
    before, after = gain.first.mean("train_seconds"), gain.second.mean("train_seconds")
    assert before is not None
    assert after is not None
    ratio, interval = times(gain.slower)
    words = f"{number(extra)} s of training ({number(before)} s to {number(after)} s"
    words += f"{f', {ratio} {interval}'.rstrip() if ratio else ''})"
    how = beside([gain.first, gain.second])
    return f"{words}, {how}," if how else words


def _on_test(gain: Gain) -> list[str]:
    if gain.test is None:
        return []
    lower = gain.test.value < 0
    words = f"Test NLL, which was not used for any choice, is {nats(abs(gain.test.value))} nats"
    interval = _gained(ends(gain.test), lower)
    words += f" {'lower' if lower else 'higher'}{f' {between(interval)}' if interval else ''}"
    return [f"{words}{'' if interval is None else f', {verdict(gain.test)} from zero'}."]


def _gained(interval: Ends, lower: bool) -> Ends:
    """The interval of the absolute difference: the signs of a decrease are turned."""
    if interval is None:
        return None
    return (-interval[1], -interval[0]) if lower else interval


def _steps(analysis: Analysis, steps: Sequence[Gain]) -> list[str]:
    sentences = []
    if analysis.replicated:
        family = plural(len(analysis.gains), "comparison")
        brackets = "Brackets after a difference are 95 % intervals"
        if len(analysis.gains) > 1:
            brackets += f" that hold for all {family} simultaneously"
        sentences.append(f"{brackets}; the spread between seeds may differ between configurations.")
    if len(steps) < 2:
        return sentences
    if analysis.replicated:
        held = [gain for gain in steps if gain.validation.separable and gain.validation.value < 0]
        said = f"the gain in validation NLL is separable from zero in {len(held)}"
        which = f": K = {listing([_step(gain) for gain in held])}" if held else ""
        sentences.append(
            f"Of the {len(steps)} single steps up in K, {said}{which}."
            + " Not separable does not mean no gain." * (len(held) < len(steps))
        )
    rates = [f"{_step(gain)}: {_rate(gain)}" for gain in steps if gain.rated]
    if rates:
        absent = [_step(g) for g in steps if g.rate is not None and not g.rated and not g.diverged]
        none = f" (none for {listing(absent)}: extra seconds not separable from zero)" if absent else ""
        sentences.append(f"Nats per extra second for each step up in K: {'; '.join(rates)}{none}.")
    return sentences


def _step(gain: Gain) -> str:
    return f"{gain.first.num_samples}→{gain.second.num_samples}"


def _rate(gain: Gain) -> str:
    shown, bracket = measured(gain.rate or 0.0, gain.rate_interval, 2)
    return f"{shown} {bracket}".strip()


def _others(analysis: Analysis, chosen: str) -> list[str]:
    whole: dict[str, Gain] = {}
    for gain in analysis.gains:
        if gain.stratum not in whole or gain.whole:
            whole[gain.stratum] = gain
    others = [gain for label, gain in whole.items() if label != chosen]
    rates = [gain.rate for gain in others if gain.rate is not None and gain.rated]
    if not rates:
        return []
    low, high = number(min(rates), 2), number(max(rates), 2)
    spread = f"from {low} to {high}" if low != high else low
    groups = "other group" if len(rates) == 1 else f"{len(rates)} other groups"
    be = "is" if len(rates) == 1 else "ranges"
    return [
        f"In the {groups} of configurations that differ in K alone, the rate from the smallest to the"
        f" largest K {be} {spread} nats per extra second."
    ]


def _diverged(analysis: Analysis) -> list[str]:
    rows = [row for row in analysis.table.configurations if row.diverged]
    if not rows:
        return []
    named = listing([f"{row.name} ({row.diverged})" for row in rows], 3)
    be = "is" if len(rows) == 1 else "are"
    return [f"{plural(len(rows), 'configuration')} diverged and {be} excluded from all comparisons: {named}."]


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
        others = plural(rivals, "other configuration")
        words += f". {others} {'is' if rivals == 1 else 'are'} not separable from it"
    silent = sum(
        difference.separable is None and not row.diverged for row, difference in analysis.against_best
    )
    if silent and analysis.replicated:
        words += f"{',' if rivals else '.'} {silent} {'has' if silent == 1 else 'have'} no interval"
    return [f"{words}."]
