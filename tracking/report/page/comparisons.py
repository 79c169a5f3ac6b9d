"""The sections that compare: steps in K, equal budgets, everything against the best, another sweep."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Table as Measured
from tracking.analysis.differences import power_unless_shown
from tracking.analysis.equal_budgets import Budget
from tracking.analysis.gains import Gain
from tracking.analysis.trials.columns import SCORE
from tracking.analysis.two_sweeps.comparison import Row, TwoSweeps
from tracking.records.comparable.score import Score
from tracking.report.charts.comparisons import MOST_ROWS, curves, forest, steps_up
from tracking.report.page.blocks import (
    Block,
    Cell,
    Details,
    Heading,
    Section,
    Table,
    Words,
    chart,
    estimate_cell,
)
from tracking.report.page.verdicts import difference_cells
from tracking.report.words.details import details
from tracking.report.words.equal_seconds import which_comparison
from tracking.report.words.two_sweeps import remarks, verdict_sentences
from tracking.statistics.numbers import measured, number, times

MOST_CURVE_FIGURES = 6
MOST_BUDGETS = 12

METHOD = (
    "The intervals of all pairs of configurations hold simultaneously in 95 % of sweeps; separable means that"
    " the interval excludes zero. Each is the wider of two: one from the two configurations' own spreads,"
    " which may differ (Banerjee 1961), and one from the spread that configurations share (Tukey 1953). A"
    " few seeds say little about their spread: among six configurations whose spreads agree, two seeds show a"
    " difference of 27 standard deviations in 80 % of sweeps, three 5.8 and five 2.9. Overlap of two"
    " configurations' own intervals is not a test. Beside a difference that is not separable: from which"
    " size on these seeds show one in 80 % of sweeps, in nats, and how many more seeds of every configuration"
    " would show the measured one."
)
RATIO = " Seconds are compared by their ratio, because timing errors are proportional."
ONE_SEED = "One seed per configuration: no difference here has an interval, so none can be called separable."


def rate_section(analysis: Analysis) -> list[Block]:
    """Successive K's: nats, seconds and nats per extra second."""
    if not analysis.gains:
        return [Words("No two complete configurations differ in K alone.", "note")]
    head = ["K", "extra seconds", "validation NLL, nats", "verdict", "test NLL, nats", "verdict on test"]
    head.append("nats / extra second")
    several = len(analysis.strata) > 1
    label = analysis.chosen.label if analysis.chosen is not None else ""
    ordered = sorted(analysis.gains, key=lambda gain: gain.stratum != label)  # first those of the figure
    rows = [
        ([Cell(gain.stratum or "–")] if several else []) + _gain_cells(analysis.table, gain)
        for gain in ordered
    ]
    method = METHOD if analysis.replicated else ONE_SEED
    return [
        *chart(steps_up(analysis), _steps_caption(analysis)),
        Table([*(["with"] if several else []), *head], rows),
        *(Words(sentence) for sentence in details(analysis)),
        Details("How these intervals are made", [Words(f"{method}{RATIO}", "note")]),
    ]


def _steps_caption(analysis: Analysis) -> str:
    caption = "Final validation NLL that each step up in K gains, and the training time that it adds."
    if analysis.replicated:
        caption += " Filled: separable from zero. Bars: the intervals that decide."
    if analysis.chosen is not None and analysis.chosen.label:
        caption += f" Shown for {analysis.chosen.label}."
    return caption


def _gain_cells(table: Measured, gain: Gain) -> list[Cell]:
    extra = gain.seconds
    power = power_unless_shown(table, gain.first, gain.second, gain.validation)
    return [
        Cell(f"{gain.first.num_samples} → {gain.second.num_samples}", "whole range" if gain.whole else ""),
        Cell("–") if extra is None else Cell(number(extra), " ".join(times(gain.slower)), extra),
        *difference_cells(gain.validation, table.score, gain.diverged, power),
        *(
            [Cell("–"), Cell("–")]
            if gain.test is None
            else difference_cells(gain.test, table.score, gain.diverged)
        ),
        _rate_cell(gain),
    ]


def _rate_cell(gain: Gain) -> Cell:
    if gain.rate is None or not gain.rated:
        unclear = gain.rate is not None and not gain.diverged
        return Cell("–", "extra seconds not separable from zero" if unclear else "")
    return Cell(*measured(gain.rate, gain.rate_interval, 2), gain.rate)


def comparison_section(analysis: Analysis) -> list[Block]:
    """Every other configuration against the best."""
    if not analysis.against_best:
        return [Words("There is only one complete configuration: nothing to compare it with.", "note")]
    score = analysis.table.score
    caption = (
        f"Final validation {score.name} minus that of {analysis.best_row.name}, the lowest, with the"
        " intervals that decide. Hollow: not separable."
    )
    if any(found.low is None for _, found in analysis.against_best):
        caption += " Configurations without an interval are in the table only."
    if len(analysis.against_best) > MOST_ROWS:
        caption += f" The {MOST_ROWS} closest are drawn; all are in the table."
    table, best = analysis.table, analysis.best_row
    rows = [
        [
            Cell(row.name),
            *difference_cells(
                found, table.score, bool(row.diverged), power_unless_shown(table, best, row, found)
            ),
        ]
        for row, found in analysis.against_best
    ]
    method = f"{METHOD} " if analysis.replicated else ""
    chosen = (
        "The intervals cover all pairs, so they account for the best having been chosen by these numbers."
    )
    return [
        *([] if analysis.replicated else [Words(ONE_SEED)]),
        *chart(forest(analysis), caption),
        Table(["configuration", f"above the best{score.in_unit}", "verdict"], rows),
        Details("How these intervals are made", [Words(method + chosen, "note")]),
    ]


def budget_section(analysis: Analysis) -> list[Block]:
    """Equal epochs and equal seconds, with the schedules that equal seconds cut off."""
    if not analysis.budgets:
        absent = "Not available: it takes two configurations whose validation curves were measured alike."
        return [Words(absent, "note")]
    evaluation = analysis.best.trial.config.evaluation
    images = "all" if evaluation.num_images is None else f"{evaluation.num_images:,}"
    words = (
        f"During training the NLL is measured with {evaluation.num_samples:,} importance samples on {images}"
        " validation images, which flatters small K. So each curve is shifted by a constant to end at its"
        " trial's final NLL. All curves are read at the same point: the last one at which the least often"
        " evaluated curve has a value. The others are interpolated where they have none."
    )
    order = sorted(analysis.budgets, key=lambda found: _place(analysis, found))
    blocks: list[Block] = [Words(which_comparison(analysis)), Words(words)]
    for index, found in enumerate(order[:MOST_BUDGETS]):
        blocks += _budget(analysis, found, figure=index < MOST_CURVE_FIGURES)
    if len(order) > MOST_BUDGETS:
        left = f"{len(order) - MOST_BUDGETS} more groups, with higher final NLLs, are in tradeoff.json."
        blocks.append(Words(left, "note"))
    return blocks


def _place(analysis: Analysis, found: Budget) -> tuple[bool, float]:
    """The group that answers for K first, then by the lowest final validation NLL."""
    chosen = analysis.chosen is not None and found.label == analysis.chosen.label
    return not chosen, min(row.configuration.mean(SCORE) or 0.0 for row in found.rows)


def _budget(analysis: Analysis, found: Budget, figure: bool) -> list[Block]:
    rows = [
        [
            Cell(row.configuration.name),
            estimate_cell(row.at_epochs, "nats"),
            estimate_cell(row.at_seconds, "nats"),
            Cell(_range(row.epochs_at_seconds)),
            Cell(row.cut or "–"),
        ]
        for row in found.rows
    ]
    seconds = f"{number(found.seconds)} s"
    head = ["configuration", f"NLL at epoch {found.epochs}", f"NLL at {seconds}", f"epochs in {seconds}"]
    caption = "Dashed: the epoch and the time at which the curves are read. One curve per seed."
    return [
        *([Heading(found.label)] if found.label else []),
        *(chart(curves(analysis, found), caption) if figure else []),
        Table([*head, "cut off in mid-schedule"], rows),
    ]


def _range(found: Sequence[int]) -> str:
    return str(found[0]) if found[0] == found[1] else f"{found[0]} to {found[1]}"


def against_section(found: TwoSweeps, prefix: str) -> Section:
    """The other sweep as A, this one as B; ``prefix`` stands before the anchor."""
    other, this = found.names
    same_name = f" in {found.storages[0]}" if other == this else ""
    blocks: list[Block] = [Words(f"A is {other}{same_name}, B is this sweep.")]
    blocks += [Words(sentence) for sentence in verdict_sentences(found)]
    score = found.score
    sides = [f"{score.name} of {letter}{score.in_unit}" for letter in "AB"]
    head = ["configuration", *sides, f"B − A{score.in_unit}", "B is", "training seconds, B / A"]
    blocks.append(Table(head, [_against_cells(row, score) for row in found.rows]))
    blocks += [Words(sentence, "note") for sentence in remarks(found)]
    return Section(f"{prefix}against", f"How does it compare with {other}?", blocks)


def _against_cells(row: Row, score: Score) -> list[Cell]:
    first, second = (side.mean(SCORE) or 0.0 for side in (row.first, row.second))
    ratio, interval = times(row.slower)
    return [
        Cell(row.name),
        Cell(score.show(first), sort=first),
        Cell(score.show(second), sort=second),
        *difference_cells(row.validation, score, bool(row.diverged)),
        Cell(ratio, interval, sort=None if row.slower is None else row.slower.value),
    ]
