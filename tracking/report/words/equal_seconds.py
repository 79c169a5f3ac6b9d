"""Which comparison a sweep makes: equal epochs, or equal seconds with schedules that fit them."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.recommendation import Recommendation, Standing
from tracking.analysis.trials.columns import SECONDS
from tracking.statistics.numbers import listing, nats, number, plural

# Beyond this the seconds did not come out equal enough to say so without a warning.
LARGE_DEVIATION = 0.1


def at_equal_seconds(analysis: Analysis, found: Recommendation) -> list[str]:
    """The answer where every K costs the same: the lowest NLL, and whether seeds tell it from the others."""
    rivals = [one for one in found.standings if one.gives_up is not None and one.near]
    beaten = [one for one in found.standings if one.gives_up is not None and not one.near]
    start = "At equal training time, " + (f"with {found.stratum.label}, " if found.stratum.label else "")
    best = f"K = {found.best.num_samples}"
    if beaten:
        words = f"use {best}: it has the lowest validation NLL, separable from {_listed(beaten)}"
        words += f" and not from {_listed(rivals)}" if rivals else ""
    else:
        words = f"these seeds cannot say which K to use: {best} has the lowest validation NLL, not separable"
        words += f" from {_listed(rivals)}"
    said = [f"{start}{words}.", planned_epochs(analysis, found.stratum.configurations)]
    nearest = min(rivals, key=lambda one: one.gives_up.value if one.gives_up else 0.0, default=None)
    if nearest is not None and nearest.power is not None and nearest.gives_up is not None:
        more = nearest.power.more_seeds
        needed = "more than 200 more seeds" if more is None else plural(more, "more seed")
        k = nearest.configuration.num_samples
        said.append(f"K = {k} is {nats(nearest.gives_up.value)} nats behind; {needed} would separate them.")
    return said


def _listed(standings: Sequence[Standing]) -> str:
    return f"K = {listing([str(one.configuration.num_samples) for one in standings])}"


def planned_epochs(analysis: Analysis, rows: tuple[Configuration, ...]) -> str:
    """How each K filled the time, and how equal the seconds came out."""
    epochs = [f"K = {row.num_samples}: {row.trials[0].config.num_epochs}" for row in rows]
    seconds = analysis.table.equal_seconds or 0.0
    words = f"Every K was planned to train for {number(seconds)} s, with annealing and learning rate that end"
    words += f" with it ({', '.join(epochs)} epochs)" if len(epochs) <= 8 else " with it"
    deviation = largest_deviation(rows)
    if deviation is None:
        return f"{words}."
    ends = [mean for row in rows if (mean := row.mean(SECONDS)) is not None]
    between = f"from {number(min(ends))} s to {number(max(ends))} s"
    alone = analysis.table.timed_on is not None
    how = "measured alone" if alone else "measured"
    words += f"; {how}: {between}, at most {100 * deviation:.0f} % from their mean"
    if deviation <= LARGE_DEVIATION:
        return f"{words}."
    if alone:
        return f"{words}. That is not equal: the pace measured before the trials was another one."
    return f"{words}. That is not equal: other work on the machine may have slowed some trials."


def largest_deviation(rows: tuple[Configuration, ...]) -> float | None:
    """The largest distance of a K's mean training seconds from the mean over K's, as a share of it."""
    seconds = [found for row in rows if (found := row.mean(SECONDS)) is not None]
    if not seconds:
        return None
    mean = sum(seconds) / len(seconds)
    return max(abs(one - mean) for one in seconds) / mean


def which_comparison(analysis: Analysis) -> str:
    """What the curves at equal budgets compare, beside what the sweep was planned for."""
    what, several = ("model", "models") if analysis.kinds else ("K", "K's")
    if analysis.table.equal_seconds is not None:
        return (
            "This sweep was planned for equal seconds: every trial's schedules end with its training, so the"
            f" final numbers compare {several} at equal cost. The columns below read the curves before the"
            " end, where schedules are cut off."
        )
    return (
        "This sweep was planned for equal epochs. The same seconds are only read from its curves: the fastest"
        f" {what} is compared at its end, the slower ones in the middle of schedules that were made for a"
        f" longer training. `sweeps run SPEC --equal-seconds` trains every {what} for the same time, with"
        " schedules that fit."
    )
