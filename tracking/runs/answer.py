"""The best configuration's numbers as metrics of the sweep's run, so that sweeps can be ranked in MLflow."""

from tracking.analysis.clocks.forecasts import forecast_metrics
from tracking.analysis.configurations import Configuration, tables
from tracking.analysis.trials.columns import SCORE, TEST_SCORE
from tracking.analysis.winner import best_of
from tracking.records.comparable.score import score_of
from tracking.records.records import SweepRecord


def answer_metrics(record: SweepRecord) -> dict[str, float]:
    """The means over seeds of the best configuration, what the sweep cost, and how right its forecast was.

    NLLs in nats; models without a likelihood have their reconstruction errors instead. The half-width is that
    of the 95 % interval over seeds. Nothing of ``best/`` without a
    complete trial.
    """
    cost = {"cpu_hours": record.cpu_hours, "gpu_hours": record.gpu_hours, **forecast_metrics(record)}
    found = tables(record)
    if not found:
        return cost
    best = best_of(found[0])
    row = next(row for row in found[0].configurations if row.trials is best.configuration)
    return {**_best(row), **cost}


def _best(row: Configuration) -> dict[str, float]:
    found = row.estimate(SCORE)
    assert found is not None  # tables() leaves out trials without it
    half = None if found.low is None or found.high is None else (found.high - found.low) / 2
    score = score_of(row.trials[0].config)
    values = {
        score.column: found.mean,
        f"{score.column}_half_width": half,
        score.test_column: row.mean(TEST_SCORE),
        "num_samples": row.num_samples,
        "train_seconds": row.mean("train_seconds"),
        "train_seconds_exclusive": row.mean("train_seconds_exclusive"),
        "seeds": len(row.trials),
    }
    return {f"best/{name}": float(value) for name, value in values.items() if value is not None}
