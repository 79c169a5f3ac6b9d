"""What the answer rests on, in words: each step up in K, the same seconds, the line of training time."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.gains import Gain
from tracking.report.words.samples import concerns_answer, turned_round
from tracking.report.words.time import beside, equal_seconds, fit_sentence
from tracking.statistics.numbers import between, ends, listing, measured, nats, number, plural, signed


def details(analysis: Analysis) -> list[str]:
    """Sentences with numbers and intervals, beside the answer in ``headline``."""
    chosen = analysis.chosen
    elsewhere = [] if concerns_answer(analysis) else turned_round(analysis)
    if chosen is None:
        how = beside(analysis.table.configurations)
        line = [] if analysis.adjusted is None else [fit_sentence(analysis.adjusted, how)]
        return [*line, *elsewhere]
    steps = [gain for gain in analysis.gains if gain.stratum == chosen.label and not gain.whole]
    fit = analysis.fit_of(chosen)
    line = [] if fit is None else [fit_sentence(fit, beside(chosen.configurations))]
    same = equal_seconds(analysis, chosen.label)
    curve = curve_in_words(analysis, steps)
    return [*steps_in_words(steps), *family(analysis), *curve, *same, *line, *elsewhere]


def steps_in_words(steps: Sequence[Gain]) -> list[str]:
    """What each step up in K changes, in nats and seconds."""
    if not steps:
        return []
    said = f"Each step up in K: {'; '.join(_step(gain) for gain in steps)}."
    if any(gain.validation.separable is False for gain in steps):
        said += " Not separable does not mean no gain."
    return [said]


def family(analysis: Analysis) -> list[str]:
    """The one level at which differences are judged."""
    if not analysis.replicated:
        return []
    count = len(analysis.table.configurations)
    together = "" if count == 2 else f", for all pairs of the {plural(count, 'configuration')} together"
    return [f"Brackets after a difference are its 95 % interval{together}: separable means without zero."]


def curve_in_words(analysis: Analysis, steps: Sequence[Gain]) -> list[str]:
    """The same steps on a curve that levels off, and what is left beyond the largest K; whether it fits."""
    found, chosen = analysis.saturation, analysis.chosen
    if found is None or chosen is None:
        return []
    if not found.fits:
        return [f"No curve a + b K^(−c) fits these means (p = {found.p_value:.2g}), so none is drawn on."]
    pairs = [(gain.first.num_samples, gain.second.num_samples) for gain in steps]
    gained = [float(found.at([first])[0] - found.at([second])[0]) for first, second in pairs]
    named = listing([f"{nats(one)} ({a}→{b})" for one, (a, b) in zip(gained, pairs, strict=True)])
    fit = analysis.fit_of(chosen)
    rates = ""
    if fit is not None and fit.fit.slope > 0:
        each = [one / fit.fit.slope / (b - a) for one, (a, b) in zip(gained, pairs, strict=True)]
        rates = f", or {listing([number(one, 2) for one in each])} for each extra second of training"
    low, high = found.beyond_interval
    gain = f"{nats(found.beyond)} nats [{nats(low)}, {nats(high or 0.0)}]"
    if high is None:
        gain = f"at least {nats(low)} nats, and nothing shows where the curve levels off"
    curve = f"{nats(found.limit)} + {number(found.amplitude)} K^(−{number(found.exponent, 2)})"
    beyond = f"all K above {pairs[-1][1]} together would gain {gain}"
    return [
        f"The curve {curve} fits these means (p = {found.p_value:.2g}). On it the steps gain {named}"
        f" nats{rates}; {beyond}."
    ]


def _step(gain: Gain) -> str:
    """``1→5: −1.29 nats [−1.89, −0.70] for 0.48 s, 2.7 nats per extra second [1.2, 9.8]``."""
    words = f"{gain.first.num_samples}→{gain.second.num_samples}: {signed(gain.validation.value)} nats"
    words += f" {between(ends(gain.validation))}".rstrip()
    if gain.diverged:
        return f"{words} (diverged)"
    if gain.seconds is not None:
        words += f" for {number(gain.seconds)} s"
    if gain.validation.separable is False:
        return f"{words}, not separable"
    if not gain.rated:
        unclear = gain.rate is not None and not gain.diverged
        return f"{words}, a time not separable from zero" if unclear else words
    shown, bracket = measured(gain.rate or 0.0, gain.rate_interval, 2)
    return f"{words}, {shown} nats per extra second {bracket}".rstrip()
