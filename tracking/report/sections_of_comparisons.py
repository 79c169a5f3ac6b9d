"""The sections that compare: steps in K, equal budgets, everything against the best."""

from collections.abc import Sequence
from html import escape

from tracking.report.analysis import Analysis
from tracking.report.budgets import Budget
from tracking.report.figures_of_comparisons import MOST_ROWS, curves, forest, rates
from tracking.report.gains import Gain
from tracking.report.html import Cell, chart, estimate_cell, paragraph, table
from tracking.report.statistics import Difference
from tracking.report.words import between, corrected, ends, measured, number, p_value, signed, verdict

MOST_CURVE_FIGURES = 6
MOST_BUDGETS = 12

METHOD = (
    "Each interval is that of a difference of means, with the variance between seeds pooled over all"
    " configurations and the level widened by Holm's correction over the rows of this table. Separable"
    " means that it does not contain zero. Pooling assumes that seeds vary alike in all of them. Overlap of"
    " two configurations' own intervals is not a test."
)
ONE_SEED = "One seed a configuration: no difference here has an interval, and none can be called separable."


def rate_section(analysis: Analysis) -> str:
    """Successive K's: nats, seconds and nats for each extra second."""
    if not analysis.gains:
        return paragraph("No two complete configurations differ in K alone.", "note")
    head = [
        "K",
        "extra seconds",
        "validation NLL, nats",
        "Holm p",
        "verdict",
        "test NLL, nats",
        "verdict on test",
    ]
    head.append("nats / extra second")
    several = len(analysis.strata) > 1
    label = analysis.chosen.label if analysis.chosen is not None else ""
    ordered = sorted(analysis.gains, key=lambda gain: gain.stratum != label)  # first those of the figure
    rows = [([Cell(gain.stratum or "–")] if several else []) + _gain_cells(gain) for gain in ordered]
    caption = (
        "Filled: the gain in validation NLL is separable from zero. Bars: Fieller's interval of the ratio, at"
        " the level of Holm's correction; cut where they leave the axis."
    )
    if any(gain.rate is not None and not gain.rated for gain in analysis.gains) and analysis.replicated:
        caption += " Steps whose extra seconds are not separable from zero have no rate."
    if analysis.chosen is not None and analysis.chosen.label:
        caption += f" Shown for {analysis.chosen.label}."
    note = METHOD if analysis.replicated else ONE_SEED
    return (
        chart(rates(analysis), caption)
        + table([*(["with"] if several else []), *head], rows)
        + paragraph(note + " Negative differences are improvements.", "note")
    )


def _gain_cells(gain: Gain) -> list[Cell]:
    extra = gain.seconds
    return [
        Cell(f"{gain.first.num_samples} → {gain.second.num_samples}", "whole range" if gain.whole else ""),
        Cell("–") if extra is None else Cell(*measured(extra.value, ends(extra)), extra.value),
        *_difference_cells(gain.validation),
        *([Cell("–"), Cell("–")] if gain.test is None else _without_p(gain.test)),
        _rate_cell(gain),
    ]


def _rate_cell(gain: Gain) -> Cell:
    if gain.rate is None or not gain.rated:
        return Cell("–", "" if gain.rate is None else "extra seconds not separable from zero")
    return Cell(*measured(gain.rate, gain.rate_interval, 2), gain.rate)


def _difference_cells(found: Difference) -> list[Cell]:
    value, said = _without_p(found)
    return [value, Cell(p_value(found.holm_p), sort=found.holm_p), said]


def _without_p(found: Difference) -> list[Cell]:
    tag = {True: "yes", False: "no", None: "none"}[found.separable]
    return [Cell(signed(found.value), between(corrected(found)), found.value), Cell(verdict(found), tag=tag)]


def comparison_section(analysis: Analysis) -> str:
    """Every other configuration against the best."""
    if not analysis.against_best:
        return paragraph("There is one complete configuration: nothing to compare it with.", "note")
    parts = []
    if not analysis.replicated:
        parts.append(paragraph(ONE_SEED))
    caption = (
        f"Final validation NLL minus that of {analysis.best_row.name}, the lowest, with intervals at the"
        " level of Holm's correction. Hollow: not separable."
    )
    if len(analysis.against_best) > MOST_ROWS:
        caption += f" The {MOST_ROWS} nearest are drawn; all are in the table."
    parts.append(chart(forest(analysis), caption))
    rows = [[Cell(row.name), *_difference_cells(found)] for row, found in analysis.against_best]
    parts.append(table(["configuration", "above the best, nats", "Holm p", "verdict"], rows))
    parts.append(
        paragraph(
            (METHOD if analysis.replicated else "")
            + " The best was chosen by these same numbers, which makes its lead look larger than it is.",
            "note",
        )
    )
    return "".join(parts)


def budget_section(analysis: Analysis) -> str:
    """Equal epochs and equal seconds, with the schedules that equal seconds break off."""
    if not analysis.budgets:
        return paragraph(
            "Not said: it takes two configurations with validation curves measured in the same way.", "note"
        )
    evaluation = analysis.best.trial.config.evaluation
    images = "all" if evaluation.num_images is None else f"{evaluation.num_images:,}"
    words = (
        f"During training the NLL is measured at {evaluation.num_samples:,} importance samples on {images}"
        " validation images, which flatters small K. So each curve is moved by one constant to end at its"
        " trial's final NLL. All curves are read at the same moment, the last one at which the slowest of"
        " them was evaluated, interpolated where they were not evaluated at it."
    )
    order = sorted(analysis.budgets, key=lambda found: _place(analysis, found))
    parts = [paragraph(words)]
    for index, found in enumerate(order[:MOST_BUDGETS]):
        parts.append(_budget(analysis, found, figure=index < MOST_CURVE_FIGURES))
    if len(order) > MOST_BUDGETS:
        left = f"{len(order) - MOST_BUDGETS} more groups, with higher final NLLs, are in tradeoff.json."
        parts.append(paragraph(left, "note"))
    return "".join(parts)


def _place(analysis: Analysis, found: Budget) -> tuple[bool, float]:
    """The group that answers for K first, then by the lowest final validation NLL."""
    chosen = analysis.chosen is not None and found.label == analysis.chosen.label
    return not chosen, min(row.configuration.mean("val_nll_final") or 0.0 for row in found.rows)


def _budget(analysis: Analysis, found: Budget, figure: bool) -> str:
    rows = [
        [
            Cell(row.configuration.name),
            estimate_cell(row.at_epochs, "nats"),
            estimate_cell(row.at_seconds, "nats"),
            Cell(_range(row.epochs_at_seconds)),
            Cell(row.cut or "–", tag="no" if row.cut else ""),
        ]
        for row in found.rows
    ]
    head = ["configuration", f"NLL at epoch {found.epochs}", f"NLL at {number(found.seconds)} s"]
    title = f"<h3>{escape(found.label)}</h3>" if found.label else ""
    caption = "Dashed: the epoch and the time at which the curves are read. One curve a seed."
    return (
        title
        + (chart(curves(analysis, found), caption) if figure else "")
        + table([*head, f"epochs in {number(found.seconds)} s", "cut off in mid-schedule"], rows)
    )


def _range(found: Sequence[int]) -> str:
    return str(found[0]) if found[0] == found[1] else f"{found[0]} to {found[1]}"
