"""The sections of the page for one table."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.time_fit import TimeFit
from tracking.report.charts.against_k import gradients, likelihood, memory, time_against_k, units
from tracking.report.charts.axes import MOST_BARS, axis_of
from tracking.report.charts.space import importance_bars, parallel_coordinates, pareto
from tracking.report.charts.spread import beyond, note
from tracking.report.page.comparisons import budget_section, comparison_section, rate_section
from tracking.report.page.html import Cell, chart, paragraph, section, table
from tracking.report.page.table import configuration_table
from tracking.report.words.time import beside, fit_sentence
from tracking.statistics.numbers import listing, measured, number, plural


def sections(analysis: Analysis, prefix: str, pictures: str) -> list[tuple[str, str, str]]:
    """Anchor, title and markup of every section, in order.

    Args:
        analysis: of one table.
        prefix: stands before every anchor, so that two tables do not share any.
        pictures: markup of the image grids; empty where there are none.
    """
    against = " against K" if len(analysis.table.num_samples) > 1 else ""
    made = [
        ("table", "All configurations", configuration_table(analysis)),
        ("time", f"Training time{against}", _time(analysis)),
        ("nll", f"Likelihood{against}", _likelihood(analysis)),
        ("units", "Active units and effective sample size", _units(analysis)),
        ("snr", "Gradient signal-to-noise ratio", _gradients(analysis)),
        ("memory", "Memory", _memory(analysis)),
        ("pareto", "Pareto front", _pareto(analysis)),
        ("rates", "What a step up in K buys", rate_section(analysis)),
        ("budgets", "Equal epochs and equal seconds", budget_section(analysis)),
        ("separable", "What can be told apart", comparison_section(analysis)),
        ("space", "The whole space", _space(analysis)),
        ("pictures", "Samples and reconstructions", pictures),
    ]
    return [(prefix + name, title, section(prefix + name, title, body)) for name, title, body in made if body]


def _time(analysis: Analysis) -> str:
    axis = axis_of(analysis)
    caption = f"Mean training seconds of each configuration. {note(axis.detailed, why=True)}"
    if axis.by_k:
        caption += " Lines are least squares through the means, a configuration counted once whatever its"
        caption += " number of seeds; bands are pointwise 95 % confidence bands of the line."
    if any(row.shared_timing for row in axis.rows):
        shared = sum(row.shared_timing for row in axis.rows)
        caption += f" {shared} of {plural(len(axis.rows), 'configuration')} measured beside other work."
    parts = []
    fits = [*analysis.fits, *([analysis.adjusted] if analysis.adjusted else [])]
    if len(fits) == 1:
        parts.append(paragraph(fit_sentence(fits[0], beside(axis.rows))))
    parts.append(chart(time_against_k(analysis, axis), caption))
    if len(fits) > 1 or analysis.adjusted:
        parts.append(_fit_table(fits))
    if analysis.adjusted:
        words = "" if analysis.fits else "The line drawn is the adjusted one. "
        words += "The adjusted line has one slope for all configurations and lets"
        words += f" {listing(analysis.adjusted.adjusted_for)} add to the time (numbers linearly, everything"
        words += " else by level); a is given at their means."
        if analysis.adjusted.not_adjusted_for:
            words += f" Not adjusted for: {listing(analysis.adjusted.not_adjusted_for)}."
        parts.append(paragraph(words, "note"))
    if axis.hidden:
        parts.append(paragraph(f"{plural(axis.hidden, 'configuration')} more in the table only.", "note"))
    return "".join(parts)


def _fit_table(fits: list[TimeFit]) -> str:
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
    return table(head, rows)


def _likelihood(analysis: Analysis) -> str:
    yardstick, axis = analysis.table.yardstick, axis_of(analysis)
    caption = (
        f"Filled: −L at {yardstick.final_num_samples:,} importance samples, by which everything here is"
        f" ranked. Hollow: at {yardstick.few_num_samples:,}. {note(axis.detailed)} Overlapping spreads are"
        f" not a test; what can be told apart stands below.{beyond(axis.rows)}"
    )
    return chart(likelihood(analysis, axis), caption)


def _units(analysis: Analysis) -> str:
    axis, many = axis_of(analysis), analysis.table.yardstick.final_num_samples
    caption = (
        "Left: latent dimensions whose posterior mean has a variance above .01 over the test set (Burda et"
        f" al. 2016). Right: effective number of the {many:,} importance samples of the final evaluation,"
        f" mean over test images. {note(axis.detailed)}"
    )
    return chart(units(analysis, axis), caption, "Neither was measured.")


def _gradients(analysis: Analysis) -> str:
    axis = axis_of(analysis)
    draws = sorted({t.config.evaluation.snr_num_draws for r in axis.rows for t in r.trials})
    caption = (
        "Root mean square over parameters of |mean| / standard deviation, less what noise adds, from"
        f" {listing([f'{n:,}' for n in draws])} gradient draws at the end of training. Dashed: the floor,"
        " below which 95 % of numbers without any signal are."
        f" {_older_gradients(analysis)}{note(axis.detailed)}"
    )
    absent = "Not measured in this sweep (evaluation.snr_num_draws is 0)."
    return chart(gradients(analysis, axis), caption, absent)


def _older_gradients(analysis: Analysis) -> str:
    """What the numbers of trials that an older version measured are instead."""
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


def _memory(analysis: Analysis) -> str:
    axis = axis_of(analysis)
    caption = f"Largest value that the training process recorded. {note(axis.detailed)}"
    return chart(memory(axis), caption, "Not measured.")


def _pareto(analysis: Analysis) -> str:
    rows = analysis.table.configurations
    caption = (
        "Ringed: no other configuration has both fewer training seconds and a lower validation NLL. The"
        " front is drawn from means of validation data; test data has no part in it. A place on the front is"
        " not a proof: whether two configurations can be told apart stands below."
        f" {note(rows if len(rows) <= MOST_BARS else ())}{beyond(rows)}"
    )
    names = listing([row.name for row in analysis.front], 12)
    return chart(pareto(analysis), caption) + paragraph(f"On the front, fastest first: {names}.", "note")


def _space(analysis: Analysis) -> str:
    parts = []
    if len(analysis.table.configurations) > 1:
        caption = (
            "One line a configuration. Drag along an axis to keep a part of it; drag a title to move it."
        )
        parts.append(chart(parallel_coordinates(analysis), caption))
    found = analysis.importance
    method = (
        "Analysis of variance of the full grid, with the seeds' noise taken off"
        if found.grid
        else "Functional ANOVA of a random forest (Hutter et al. 2014, Optuna), seeds' noise included"
    )
    caption = (
        f"{method}. A parameter's own bar is its main effect: what it does on average over all the others."
        " Where a parameter acts differently at different values of another, that is in the interaction."
        f"{' Lines are 95 % intervals over seeds.' if found.grid else ' These shares have no intervals.'}"
        " A share has no direction, and it depends on the values tried."
    )
    parts.append("<h3>Parameter importance</h3>")
    parts.append(chart(importance_bars(analysis), caption, f"Not said: {found.reason}."))
    if found.left_out:
        parts.append(paragraph(f"Left out, because not all have them: {listing(found.left_out)}.", "note"))
    return "".join(parts)
