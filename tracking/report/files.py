"""``tradeoff.json``: the report for programs."""

import json
from collections.abc import Sequence
from typing import Any

from tracking.analysis.analysis import Analysis
from tracking.analysis.clocks.forecasts import Check, checks
from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.curves.time_to_target import TimeToTarget
from tracking.analysis.differences import Power, power_unless_shown
from tracking.analysis.equal_budgets import Budget
from tracking.analysis.gains import Gain
from tracking.analysis.recommendation import Recommendation, Standing
from tracking.analysis.time_fit import TimeFit
from tracking.analysis.trials.columns import COLUMNS, STANDING_FOR
from tracking.records.records import SweepRecord
from tracking.statistics.comparisons import Difference
from tracking.statistics.fits.saturation import Saturation
from tracking.statistics.intervals import CONFIDENCE, Estimate
from tracking.statistics.power import POWER


def to_json(
    record: SweepRecord,
    analyses: Sequence[Analysis],
    headlines: Sequence[Sequence[str]],
    warnings: Sequence[str],
) -> str:
    """Tables, fits, comparisons and warnings as one JSON object; NLLs in nats, times in seconds."""
    return json.dumps(
        {
            "name": record.name,
            "trials": record.counts,
            "confidence": CONFIDENCE,
            "warnings": list(warnings),
            "forecasts": [_check(one) for one in checks(record)],
            "groups": [_group(analysis, words) for analysis, words in zip(analyses, headlines, strict=True)],
        },
        indent=2,
        allow_nan=False,
    )


def _group(analysis: Analysis, words: Sequence[str]) -> dict[str, Any]:
    table, best = analysis.table, analysis.best
    return {
        "yardstick": {
            "data": table.yardstick.data.model_dump(mode="json", exclude={"num_train"}),
            "measure": table.yardstick.measure,
            "conditional": table.yardstick.conditional,
            "final_num_samples": table.yardstick.final_num_samples,
            "final_num_images": table.yardstick.final_num_images,
            "few_num_samples": table.yardstick.few_num_samples,
        },
        "ranked_by": table.score.final,
        "headline": list(words),
        "varied": list(table.paths),
        "looks": table.looks,
        "time_axis": "train_seconds" if table.timed_on is None else "train_seconds_exclusive",
        "timed_on": table.timed_on,
        "configurations": [_configuration(row) for row in table.configurations],
        "best": {
            "configuration": analysis.best_row.key,
            "trial": best.trial.key,
            best.score.column: best.value,
            best.score.test_column: best.test_value,
            "interval": best.interval,
        },
        "recommendation": _recommendation(analysis.recommendation),
        "saturation": _saturation(analysis.saturation),
        "fits": [_fit(fit) for fit in analysis.fits],
        "adjusted_fit": None if analysis.adjusted is None else _fit(analysis.adjusted),
        "gains": [_gain(table, gain) for gain in analysis.gains],
        "against_best": [
            {
                "configuration": row.key,
                table.score.column: _difference(difference),
                "power": _power(power_unless_shown(table, analysis.best_row, row, difference)),
            }
            for row, difference in analysis.against_best
        ],
        "models": [
            {
                "label": kind.label,
                "evidence": kind.evidence,
                "best": kind.best.key,
                "configurations": [row.key for row in kind.rows],
            }
            for kind in analysis.kinds
        ],
        "pareto_front": [row.key for row in analysis.front],
        "equal_budgets": [_budget(found) for found in analysis.budgets],
        "equal_seconds": table.equal_seconds,
        "time_to_target": _time_to_target(analysis.time_to_target),
        "importance": {
            "shares": {name: vars(share) for name, share in analysis.importance.shares.items()},
            "method": "anova of a full grid" if analysis.importance.grid else "functional anova",
            "left_out": list(analysis.importance.left_out),
            "reason": analysis.importance.reason,
        },
    }


def _check(one: Check) -> dict[str, Any]:
    forecast = one.forecast
    return {
        "session": one.session,
        "basis": forecast.basis,
        "wall_seconds": forecast.wall_seconds,
        "wall_interval": [forecast.wall_low, forecast.wall_high],
        "wall_seconds_taken": one.wall_seconds,
        "within": one.within,
        "median_error": one.median_error,
        "with_evaluation": one.whole,
        "trials": [{"trial": pair.trial.key, "said": pair.said, "took": pair.took} for pair in one.pairs],
    }


def _time_to_target(found: TimeToTarget | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "label": found.stratum.label,
        "resolution": found.resolution,
        "targets": [
            {
                "val_nll": one.nll,
                "ended_at": None if one.ended_at is None else one.ended_at.key,
                "times": [
                    {"configuration": row.key, **vars(time)}
                    for row, time in zip(found.stratum.configurations, one.times, strict=True)
                ],
            }
            for one in found.targets
        ],
    }


def _configuration(row: Configuration) -> dict[str, Any]:
    metrics = {column: _estimate(row.estimate(column)) for column in COLUMNS if column not in STANDING_FOR}
    return {
        "key": row.key,
        "name": row.name,
        "parameters": dict(row.parameters),
        "num_samples": row.num_samples,
        "evidence": row.evidence,
        "seeds": len(row.trials),
        "planned_seeds": row.planned,
        "shared_timing": row.shared_timing,
        "diverged": row.diverged or None,
        "trials": [trial.key for trial in row.trials],
        "metrics": metrics,
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else vars(found)


def _difference(found: Difference | None) -> dict[str, Any] | None:
    return None if found is None else {**vars(found), "separable": found.separable}


def _recommendation(found: Recommendation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    chosen, judged = found.chosen, found.judged
    return {
        "stratum": found.stratum.label,
        "configuration": None if chosen is None else chosen.key,
        "num_samples": None if chosen is None else chosen.num_samples,
        "reason": None if found.doubt is None else found.doubt.value,
        "best": found.best.key,
        "smallest": found.smallest.key,
        "judged": None if judged is None else judged.configuration.key,
        "standings": [_standing(one) for one in found.standings],
        "without_interval": [row.key for row in found.unjudged],
    }


def _saturation(found: Saturation | None) -> dict[str, Any] | None:
    return None if found is None else {**vars(found), "fits": found.fits}


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "configuration": one.configuration.key,
        "num_samples": one.configuration.num_samples,
        "train_seconds": one.configuration.mean("train_seconds"),
        "train_seconds_exclusive": one.configuration.mean("train_seconds_exclusive"),
        "gives_up": _difference(one.gives_up),
        "gives_up_at_most": one.at_most,
        "change_from_smallest": _difference(one.change),
        "test_change_from_smallest": _difference(one.on_test),
        "keeps_half_of_the_gain": one.keeps_half,
        "power": _power(one.power),
    }


def _power(found: Power | None) -> dict[str, Any] | None:
    return None if found is None else {"power": POWER, **vars(found)}


def _fit(found: TimeFit) -> dict[str, Any]:
    fit = found.fit
    return {
        "label": found.label,
        "intercept": fit.intercept,
        "intercept_interval": fit.interval("intercept"),
        "slope": fit.slope,
        "slope_interval": fit.interval("slope"),
        "degrees": fit.degrees,
        "observations": fit.observations,
        "r_squared": fit.r_squared,
        "epochs": found.epochs,
        "steps_per_epoch": found.steps_per_epoch,
        "seconds_per_step_and_sample": found.per_step,
        "adjusted_for": list(found.adjusted_for),
        "not_adjusted_for": list(found.not_adjusted_for),
    }


def _gain(table: Table, gain: Gain) -> dict[str, Any]:
    return {
        "stratum": gain.stratum,
        "first": gain.first.key,
        "second": gain.second.key,
        "whole": gain.whole,
        "num_samples": [gain.first.num_samples, gain.second.num_samples],
        "val_nll_final": _difference(gain.validation),
        "power": _power(power_unless_shown(table, gain.first, gain.second, gain.validation)),
        "test_nll": _difference(gain.test),
        "train_seconds": _extra(gain, "train_seconds"),
        "train_seconds_exclusive": _extra(gain, "train_seconds_exclusive"),
        "log_seconds_ratio": _difference(gain.slower),
        "nats_per_second": gain.rate,
        "nats_per_second_interval": gain.rate_interval,
    }


def _extra(gain: Gain, column: str) -> float | None:
    before, after = gain.first.mean(column), gain.second.mean(column)
    return None if before is None or after is None else after - before


def _budget(found: Budget) -> dict[str, Any]:
    rows = [
        {
            "configuration": row.configuration.key,
            "at_epochs": _estimate(row.at_epochs),
            "at_seconds": _estimate(row.at_seconds),
            "epochs_at_seconds": row.epochs_at_seconds,
            "cut": row.cut,
        }
        for row in found.rows
    ]
    return {"stratum": found.label, "epochs": found.epochs, "seconds": found.seconds, "rows": rows}
