"""The best configuration's numbers as metrics of the sweep's run, so that sweeps can be ranked in MLflow."""

from tracking.analysis.clocks.forecasts import forecast_metrics
from tracking.analysis.configurations import Configuration, tables
from tracking.analysis.winner import best_of
from tracking.records.records import SweepRecord


def answer_metrics(record: SweepRecord) -> dict[str, float]:
    """The means over seeds of the best configuration, what the sweep cost, and how right its forecast was.

    NLLs in nats; the half-width is that of the 95 % interval over seeds. Nothing of ``best/`` without a
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
    nll = row.estimate("val_nll_final")
    assert nll is not None  # tables() leaves out trials without it
    half = None if nll.low is None or nll.high is None else (nll.high - nll.low) / 2
    values = {
        "val_nll_final": nll.mean,
        "val_nll_final_half_width": half,
        "test_nll": row.mean("test_nll"),
        "num_samples": row.num_samples,
        "train_seconds": row.mean("train_seconds"),
        "train_seconds_exclusive": row.mean("train_seconds_exclusive"),
        "seeds": len(row.trials),
    }
    return {f"best/{name}": float(value) for name, value in values.items() if value is not None}
