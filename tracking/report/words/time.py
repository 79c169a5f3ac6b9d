"""Sentences about training time: the line against K, and what the same seconds give."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.clocks.forecasts import Check
from tracking.analysis.clocks.own import reasons, slowdown
from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.equal_budgets import against_lowest, lowest_of
from tracking.analysis.time_fit import TimeFit
from tracking.statistics.numbers import between, ends, listing, measured, nats, number, plural


def fit_sentence(fit: TimeFit, measured_how: str = "") -> str:
    """The line t = a + b K in words; ``measured_how`` is said of its seconds."""
    a, b = fit.fit.interval("intercept"), fit.fit.interval("slope")
    (intercept, a_shown), (slope, b_shown) = measured(fit.fit.intercept, a), measured(fit.fit.slope, b)
    adjusted = f", adjusted for {listing(fit.adjusted_for)}," if fit.adjusted_for else ""
    how = f", {measured_how}," if measured_how else ""
    words = f"Training time{adjusted or how} fits t = {intercept} s + {slope} s · K"
    if a is not None and b is not None:
        words += f" (95 % intervals: {a_shown} s and {b_shown} s per sample)"
    else:
        words += f" (through {plural(fit.fit.observations, 'configuration')}: too few for an interval)"
    parts = []
    if fit.epochs is not None:
        parts.append(f"about {number(fit.fit.intercept / fit.epochs, 2)} s of each epoch do not depend on K")
    if fit.per_step is not None:
        parts.append(
            f"each additional sample costs about {number(fit.per_step * 1e6, 2)} µs per optimizer step"
        )
    return f"{words}{': ' if parts else ''}{', and '.join(parts)}."


def beside(rows: Sequence[Configuration]) -> str:
    """That the seconds were measured alone, or most of them on a shared machine; empty where neither."""
    if rows and all(row.alone is not None for row in rows):
        return "measured alone"
    return "measured on a shared machine" if 2 * sum(row.shared_timing for row in rows) > len(rows) else ""


def how_measured(table: Table) -> list[str]:
    """How the seconds of trials alone were measured, and what sets the trials' own clocks apart."""
    probes = [row.alone for row in table.configurations if row.alone is not None]
    rounds = sorted({one.rounds for one in probes})
    counted = plural(rounds[0], "round") if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]} rounds"
    words = [
        f"The training seconds of this report are a trial's steps times what a step takes alone on"
        f" {table.timed_on}. That was measured with nothing else running, in {counted} in which the"
        " configurations took turns. Brackets are 95 % intervals of that measurement."
    ]
    trials = [trial for row in table.configurations for trial in row.trials]
    slower = slowdown(table.configurations)
    if slower is not None:
        said = f"The trials' own clocks gave {number(slower, 2)} times these seconds in the median"
        why = [f"{count} of {len(trials)}: {reason}" for reason, count in reasons(trials).items()]
        words.append(f"{said}{f' ({listing(why, 4)})' if why else ''}.")
    return words


def forecast_sentences(one: Check) -> list[str]:
    """How a driver's forecast came out."""
    forecast, words = one.forecast, []
    said = f"Before the first trial the sweep was forecast to take {number(forecast.wall_seconds)} s"
    if forecast.wall_low is not None and forecast.wall_high is not None:
        said += f" [{number(forecast.wall_low)}, {number(forecast.wall_high)}]"
    if one.wall_seconds is None:
        words.append(f"{said}; it was not run to its end in one go.")
    else:
        inside = {True: ", within that interval", False: ", outside that interval", None: ""}[one.within]
        words.append(f"{said}; it took {number(one.wall_seconds)} s{inside}.")
    if one.median_error is not None and one.worst is not None:
        worst, what = one.worst, "" if one.whole else " of training"
        words.append(
            f"The seconds{what} of {plural(len(one.pairs), 'trial')} were forecast with an error of"
            f" {100 * one.median_error:.0f} % in the median and {100 * worst.error:.0f} % at most"
            f" ({worst.trial.plan.name}: {number(worst.said)} s for {number(worst.took)} s)."
        )
    return words


def equal_seconds(analysis: Analysis, chosen: str) -> list[str]:
    """Which K of a stratum is ahead after the same training seconds, and which are not separable from it."""
    found = next((budget for budget in analysis.budgets if budget.label == chosen), None)
    if found is None or analysis.table.equal_seconds is not None:  # there the final NLLs say it
        return []
    lowest, verdicts = lowest_of(found), against_lowest(found, analysis.table.looks)
    if lowest is None or lowest.at_seconds is None or not verdicts:
        return []
    at, interval = lowest.at_seconds, ends(lowest.at_seconds)
    k = lowest.configuration.num_samples
    words = f"After the same {number(found.seconds)} s of training, read from the curves, K = {k} has"
    words += f" the lowest validation NLL ({nats(at.mean)}{f' {between(interval)}' if interval else ''} nats)"
    rivals, silent = (
        [f"K = {row.configuration.num_samples}" for row, one in verdicts if one.separable is verdict]
        for verdict in (False, None)
    )
    if analysis.replicated and rivals:
        words += f", not separable from {listing(rivals)}"
    elif analysis.replicated and not silent:
        words += ", separable from every other K"
    if analysis.replicated and silent:
        words += f" (no interval for {listing(silent)})"
    if any(row.cut for row in found.rows):
        words += "; some schedules are cut off at that time (see the limits below)"
    return [f"{words}."]
