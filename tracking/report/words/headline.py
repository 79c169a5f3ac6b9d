"""What a reader sees first: the answer, then what it rests on."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.trials.columns import TEST_SCORE
from tracking.report.words.answers.k import answer
from tracking.report.words.answers.models import asked, truth, which_model
from tracking.report.words.collapse import unused
from tracking.report.words.samples import concerns_answer, too_few, turned_round
from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import Ends, between, ends, listing, nats, plural


def headline(analysis: Analysis) -> list[str]:
    """Sentences with numbers and intervals, the answer first; ``details`` has the rest."""
    models = which_model(analysis) if asked(analysis) else []
    return [
        *too_few(analysis),
        *models,
        *(answer(analysis) if analysis.recommendation or not models else []),
        *_gain(analysis),
        *(turned_round(analysis) if concerns_answer(analysis) else []),
        *_diverged(analysis),
        *unused(analysis),
        *([] if models else [*_best(analysis), *truth(analysis)]),
    ]


def _gain(analysis: Analysis) -> list[str]:
    """What the recommended K gains over the smallest, on validation and on test data."""
    found = analysis.recommendation
    taken = None if found is None or found.chosen is None else found.judged
    if found is None or taken is None or taken.change is None:
        return []
    words = f"From K = {found.smallest.num_samples} to K = {taken.configuration.num_samples}"
    words += f" validation NLL falls by {nats(-taken.change.value)} nats {between(_turned(taken.change))}"
    if taken.on_test is not None:
        fallen = f"{nats(-taken.on_test.value)} {between(_turned(taken.on_test))}".rstrip()
        words += f" and test NLL, which no choice used, by {fallen}"
    return [f"{words.rstrip()}."]


def _turned(found: Difference) -> Ends:
    """The interval of a fall: the signs of a difference turned."""
    interval = ends(found)
    return None if interval is None else (-interval[1], -interval[0])


def _diverged(analysis: Analysis) -> list[str]:
    rows = [row for row in analysis.table.configurations if row.diverged]
    if not rows:
        return []
    named = listing([f"{row.name} ({row.diverged})" for row in rows], 3)
    be = "is" if len(rows) == 1 else "are"
    return [f"{plural(len(rows), 'configuration')} diverged and {be} excluded from all comparisons: {named}."]


def _best(analysis: Analysis) -> list[str]:
    best, row, score = analysis.best, analysis.best_row, analysis.table.score
    words = f"Lowest mean validation {score.name}: {row.name} with {score.amount(best.value)}"
    words += f" {score.between(best.interval)}" if best.interval else ""
    words += f" over {plural(len(row.trials), 'seed')}"
    if best.test_value is not None:
        interval = ends(row.estimate(TEST_SCORE))
        words += f"; its test {score.name} is {score.show(best.test_value)}"
        words += f" {score.between(interval)}" if interval else ""
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
