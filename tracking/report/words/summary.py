"""The summary as Markdown, for the description of the parent run: the answer without opening anything."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.trials.columns import SCORE, SECONDS, TEST_SCORE
from tracking.records.comparable.score import Score
from tracking.records.records import SweepRecord
from tracking.statistics.intervals import Estimate
from tracking.statistics.numbers import ends, listing, measured, plural

MOST_ROWS = 12
MOST_WARNINGS = 6
MOST_CHARACTERS = 4900
BEFORE_TABLE = 2  # sentences after the first: what the answer costs, and what to do next
STAR = "\\*"  # a star that Markdown leaves alone


def summary(
    record: SweepRecord,
    analyses: Sequence[Analysis],
    headlines: Sequence[Sequence[str]],
    warnings: Sequence[str],
) -> str:
    """The answer, the table of configurations, details and limits, in under 5,000 characters.

    MLflow shows the first lines only until it is asked for more, so the answer and the table come first.
    """
    counts = listing([f"{count} {state}" for state, count in record.counts.items()])
    closing = "Full report: artifact `report/index.html`; numbers: `report/tradeoff.csv`."
    if not analyses:
        body = ["No trial is complete yet: there are no final numbers to report."]
        return "\n\n".join(
            [
                f"**{_plain(record.name)}**",
                *body,
                f"{plural(len(record.trials), 'trial')}: {counts}.",
                closing,
            ]
        )
    for rows, sentences, bullets in ((MOST_ROWS, 6, MOST_WARNINGS), (8, 2, 4), (3, 1, 3), (1, 1, 1)):
        parts = []
        for analysis, words in zip(analyses, headlines, strict=True):
            if len(analyses) > 1:
                parts.append(f"### {_plain(analysis.table.yardstick.description)}")
            first, *more = words
            parts.append(f"**{_plain(first)}** {_plain(' '.join(more[:BEFORE_TABLE]))}".rstrip())
            parts.append(_table(analysis, rows))
            parts += [_plain(" ".join(after))] if (after := more[BEFORE_TABLE:][:sentences]) else []
        limits = "\n".join(f"- {_plain(_shortened(sentence))}" for sentence in warnings[:bullets])
        parts.append(f"What it cannot say:\n\n{limits}")
        parts.append(f"{plural(len(record.trials), 'trial')}: {counts}. {closing}")
        made = "\n\n".join(parts)
        if len(made) <= MOST_CHARACTERS:
            return made
    return f"{made[: MOST_CHARACTERS - len(closing) - 6]} …\n\n{closing}"


def _table(analysis: Analysis, most: int) -> str:
    score = analysis.table.score
    ranked = sorted(analysis.table.configurations, key=lambda row: row.mean(SCORE) or 0.0)
    shown = ranked[:most]
    if len(ranked) <= most:
        shown = list(analysis.table.configurations)
    everywhere = all(row.shared_seconds for row in shown)
    lines = [
        f"| configuration | seeds | train s{STAR * everywhere} | validation {score.name} | test {score.name}"
        " | active units |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_row(row, score, row is analysis.best_row, not everywhere) for row in shown]
    note = (
        "± is half the width of the 95 % t-interval over seeds."
        if analysis.replicated
        else "One seed: no interval."
    )
    if any(row.shared_seconds for row in shown):
        note += f" {STAR} Seconds measured on a shared machine."
    if len(ranked) > most:
        note += f" The {most} lowest of {len(ranked)} configurations."
    return "\n".join(lines) + f"\n\n{note}"


def _row(row: Configuration, score: Score, best: bool, starred: bool) -> str:
    name = _plain(row.name)
    seconds, units = row.estimate(SECONDS), row.estimate("active_units")
    star = STAR * (starred and row.shared_seconds)
    cells = [
        f"**{name}**" if best else name,
        str(len(row.trials)),
        "–" if seconds is None else measured(seconds.mean, ends(seconds))[0] + star,
        _value(row.estimate(SCORE), score),
        _value(row.estimate(TEST_SCORE), score),
        "–" if units is None else measured(units.mean, ends(units))[0],
    ]
    return f"| {' | '.join(cells)} |"


def _value(found: Estimate | None, score: Score) -> str:
    if found is None:
        return "–"
    return score.spread(found.mean, ends(found))


def _shortened(sentence: str, most: int = 330) -> str:
    return sentence if len(sentence) <= most else sentence[: most - 2].rsplit(" ", 1)[0] + " …"


def _plain(words: str) -> str:
    """Text that Markdown takes as text."""
    for sign in "\\`*_|<>[]#":
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", " ")
