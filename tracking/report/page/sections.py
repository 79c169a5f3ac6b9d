"""The sections of the page for one table."""

from collections.abc import Sequence
from dataclasses import replace

from tracking.analysis.analysis import Analysis
from tracking.analysis.time_fit import TimeFit
from tracking.records.records import SweepRecord
from tracking.report.charts.against_k import gradients, likelihood, memory, time_against_k, units
from tracking.report.charts.axes import MOST_BARS, axis_of
from tracking.report.charts.space import importance_bars, parallel_coordinates, pareto
from tracking.report.charts.spread import beyond, note
from tracking.report.page.blocks import Block, Cell, Details, Heading, Section, Table, Words, chart
from tracking.report.page.comparisons import budget_section, comparison_section, rate_section
from tracking.report.page.table import configuration_table
from tracking.report.page.timing.seconds import seconds_section
from tracking.report.page.timing.time_to_target import target_section
from tracking.report.words.collapse import alarms, statements
from tracking.report.words.time import beside, fit_sentence
from tracking.report.words.why import why
from tracking.statistics.numbers import listing, measured, number, plural


def sections(
    record: SweepRecord, analysis: Analysis, prefix: str, pictures: Sequence[Block]
) -> list[Section]:
    """Every section that has something in it, in order.

    Args:
        record: the sweep.
        analysis: of one table.
        prefix: stands before every anchor, so that two tables do not share any.
        pictures: the image grids.
    """
    # K's of different models are not compared with each other.
    by_k = len(analysis.table.num_samples) > 1 and (bool(analysis.gains) or not analysis.kinds)
    grows = "How does training time grow with K?" if by_k else "How long does training take?"
    if analysis.table.equal_seconds is not None:
        grows = "How equal are the seconds?"
    nll = "How does likelihood change with K?" if by_k else "How good is the likelihood?"
    if not analysis.table.score.is_likelihood:
        nll = "How good are the reconstructions?"
    ranked = analysis.table.score.is_likelihood
    made = [
        Section("rates", "What does each step up in K cost and buy?", rate_section(analysis) if by_k else []),
        Section("separable", "How sure is this?", comparison_section(analysis)),
        Section(
            "target",
            "How long does each K take to reach a target?",
            target_section(analysis) if by_k else [],
        ),
        Section("budgets", "What do equal epochs and equal seconds give?", budget_section(analysis)),
        Section("time", grows, _time(analysis)),
        Section("seconds", "How were the seconds measured?", seconds_section(record, analysis)),
        Section("nll", nll, _likelihood(analysis)),
        Section("pareto", "Which configurations are worth their time?", _pareto(analysis)),
        Section("units", "Why? What the model uses", _units(analysis)),
        Section("snr", "Why? How clear the gradients are", _gradients(analysis) if ranked else []),
        Section("memory", "How much memory does it take?", _memory(analysis)),
        Section("space", "What else was varied, and did it matter?", _space(analysis)),
        Section("table", "What did every configuration measure?", configuration_table(analysis)),
        Section("pictures", "What do the models draw?", pictures),
    ]
    return [replace(one, anchor=prefix + one.anchor) for one in made if one.blocks]


def _time(analysis: Analysis) -> list[Block]:
    axis = axis_of(analysis)
    probed = analysis.table.timed_on is not None
    caption = "Training seconds of each configuration alone. Bars are 95 % intervals of the measurement."
    if not probed:
        caption = f"Mean training seconds of each configuration. {note(axis.detailed, why=True)}"
    if axis.by_k:
        caption += " Lines are least-squares fits to the means; each configuration counts once, whatever its"
        caption += " number of seeds. Bands are pointwise 95 % confidence bands of the line."
    if shared := sum(row.shared_seconds for row in axis.rows):
        counted = plural(len(axis.rows), "configuration")
        caption += f" {shared} of {counted} measured on a shared machine."
    blocks: list[Block] = []
    fits = [*analysis.fits, *([analysis.adjusted] if analysis.adjusted else [])]
    if len(fits) == 1:
        blocks.append(Words(fit_sentence(fits[0], beside(axis.rows))))
    blocks += chart(time_against_k(analysis, axis), caption)
    if len(fits) > 1 or analysis.adjusted:
        inner: list[Block] = [_fit_table(fits)]
        if analysis.adjusted:
            inner.append(Words(_adjustment(analysis.adjusted, drawn=not analysis.fits), "note"))
        blocks.append(Details("The lines in numbers", inner))
    if axis.hidden:
        blocks.append(Words(f"{plural(axis.hidden, 'more configuration')} in the table only.", "note"))
    return blocks


def _adjustment(fit: TimeFit, *, drawn: bool) -> str:
    """What the adjusted line is adjusted for and how."""
    words = "The line drawn is the adjusted one. " if drawn else ""
    words += "The adjusted line has one slope for all configurations, with additive effects of"
    words += f" {listing(fit.adjusted_for)} (numbers enter linearly, everything else as categories);"
    words += " a is given at their means."
    if fit.not_adjusted_for:
        words += f" Not adjusted for: {listing(fit.not_adjusted_for)}."
    return words


def _fit_table(fits: Sequence[TimeFit]) -> Table:
    head = ["line", "configurations", "a, s", "b, s per sample", "µs per step and sample", "R²"]
    rows = []
    for fit in fits:
        line = fit.fit
        rows.append(
            [
                Cell(fit.label or "all configurations"),
                Cell(str(line.observations), sort=float(line.observations)),
                Cell(*measured(line.intercept, line.interval("intercept")), line.intercept),
                Cell(*measured(line.slope, line.interval("slope")), line.slope),
                Cell("–") if fit.per_step is None else Cell(number(fit.per_step * 1e6), sort=fit.per_step),
                Cell("–") if line.r_squared is None else Cell(f"{line.r_squared:.3f}", sort=line.r_squared),
            ]
        )
    return Table(head, rows)


def _likelihood(analysis: Analysis) -> list[Block]:
    yardstick, axis = analysis.table.yardstick, axis_of(analysis)
    if not analysis.table.score.is_likelihood:
        caption = (
            f"Mean squared error of the reconstructions, which decides every ranking. {note(axis.detailed)}"
        )
        return chart(likelihood(analysis, axis), f"{caption}{beyond(axis.rows)}")
    caption = (
        f"Filled: −L at {yardstick.final_num_samples:,} importance samples, which decides every ranking."
        f" Hollow: at {yardstick.few_num_samples:,}. {note(axis.detailed)} Overlapping spreads are"
        f" not a test; the comparisons are further down.{beyond(axis.rows)}"
    )
    return chart(likelihood(analysis, axis), caption)


def _units(analysis: Analysis) -> list[Block]:
    axis, many = axis_of(analysis), analysis.table.yardstick.final_num_samples
    caption = (
        "Left: latent dimensions whose posterior mean has a variance above .01 over the test set (Burda et"
        f" al. 2016). Right: effective number of the {many:,} importance samples of the final evaluation,"
        f" mean over test images. {note(axis.detailed)}"
    )
    lines = [Words(line) for line in (*alarms(analysis), *why(analysis))]
    drawn = chart(units(analysis, axis), caption, "" if lines else "Neither was measured.")
    if (
        not analysis.table.score.is_likelihood
        and not lines
        and len(drawn) == 1
        and isinstance(drawn[0], Words)
    ):
        return []  # a code without a posterior
    said = statements(analysis)
    if not said:
        return [*lines, *drawn]
    rows = [[Cell(name), Cell(sentence)] for name, sentence in said]
    table = Table(["configuration", "its median seed"], rows)
    return [*lines, *drawn, Details("Does each model use its code?", [table])]


def _gradients(analysis: Analysis) -> list[Block]:
    axis = axis_of(analysis)
    draws = sorted({t.config.evaluation.snr_num_draws for r in axis.rows for t in r.trials})
    caption = (
        "Root mean square over parameters of |mean| / standard deviation, with the contribution of noise"
        f" subtracted, from {listing([f'{n:,}' for n in draws])} gradient draws at the end of training."
        " Dashed: the floor, the 95th percentile where there is no signal."
        f" {_older_gradients(analysis)}{note(axis.detailed)}"
    )
    absent = "Not measured in this sweep (evaluation.snr_num_draws is 0)."
    return chart(gradients(analysis, axis), caption, absent)


def _older_gradients(analysis: Analysis) -> str:
    """That some trials were measured by an older version, and what it measured."""
    finals = [trial.final or {} for row in analysis.table.configurations for trial in row.trials]
    measured_at_all = [final for final in finals if "gradient/encoder_snr" in final]
    old = sum("gradient/encoder_snr_floor" not in final for final in measured_at_all)
    if not old:
        return ""
    whose = "All trials were" if old == len(finals) else f"{plural(old, 'trial')} of {len(finals)} were"
    return (
        f"{whose} measured by an older version, as the mean of the ratios with those below noise set to 0:"
        " not comparable with numbers of this version. "
    )


def _memory(analysis: Analysis) -> list[Block]:
    axis = axis_of(analysis)
    caption = (
        "The most that training took beside the process, the data and the model: activations, gradients, the"
        f" optimizer's state and the evaluation after each epoch. {note(axis.detailed)}"
    )
    whole = [value for row in axis.rows for value in row.values("peak_memory_bytes")]
    absent = "Not measured."
    if whole:
        absent = (
            "These trials recorded the memory of their whole process alone, most of which is libraries:"
            f" {number(min(whole) / 2**20)} to {number(max(whole) / 2**20)} MiB. Trials of this version"
            " record what training takes."
        )
    return chart(memory(axis), caption, absent)


def _pareto(analysis: Analysis) -> list[Block]:
    rows, score = analysis.table.configurations, analysis.table.score
    caption = (
        "Star: recommended. Ringed: no other configuration has both fewer training seconds and a lower"
        f" validation {score.name}. The front is drawn from means on validation data; test data"
        " is not used. A place on the front is no proof: the differences under “How sure is this?” are."
        f" {note(rows if len(rows) <= MOST_BARS else ())}{beyond(rows)}"
    )
    names = listing([row.name for row in analysis.front], 12)
    return [*chart(pareto(analysis), caption), Words(f"On the front, fastest first: {names}.", "note")]


def _space(analysis: Analysis) -> list[Block]:
    blocks: list[Block] = []
    if len(analysis.table.configurations) > 1:
        caption = (
            "One line per configuration. Drag along an axis to select a range; drag a title to move its axis."
        )
        blocks += chart(parallel_coordinates(analysis), caption)
    found = analysis.importance
    method = (
        "Analysis of variance of the full grid, with the noise between seeds subtracted."
        if found.grid
        else "Functional ANOVA of a random forest (Hutter et al. 2014, Optuna), including the noise between"
        " seeds."
    )
    caption = (
        f"{method} A parameter's own bar is its main effect: its effect averaged over all the others."
        " If its effect differs with the value of another parameter, that part is in the interaction."
        f"{' Lines are 95 % intervals over seeds.' if found.grid else ' These shares have no intervals.'}"
        " A share has no direction and depends on the values tried."
    )
    blocks.append(Heading("Parameter importance"))
    blocks += chart(importance_bars(analysis), caption, f"Not available: {found.reason}.")
    if found.left_out:
        absent = f"Left out, because not every configuration has them: {listing(found.left_out)}."
        blocks.append(Words(absent, "note"))
    return blocks
