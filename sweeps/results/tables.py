"""The record of a sweep as pandas tables: a row a trial, a row an epoch."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from iwae.config.train import flatten
from tracking.records.records import SweepRecord, TrialRecord


def table_of(record: SweepRecord, *, all_params: bool = False) -> pd.DataFrame:
    """One row a trial, in the plan's order.

    Args:
        record: the sweep.
        all_params: every parameter of the configuration, and not only those that the search space varies.

    Returns:
        The columns ``trial`` (its name), ``key``, ``seed``, the parameters under their paths, ``state``,
        ``epochs`` (completed), ``train_seconds``, ``attempts``, ``error`` (first line), and the final
        metrics under MLflow's names: NLLs in nats, ``test/bits_per_dim`` in bits, NaN where there is none.
    """
    names = _ordered(trial.final or {} for trial in record.trials)
    rows = []
    for trial, params in _with_params(record, all_params=all_params):
        final = trial.final or {}
        rows.append(
            {
                **_identity(trial),
                **params,
                "state": trial.state.value,
                "epochs": trial.history[-1].epoch if trial.history else 0,
                "train_seconds": trial.train_seconds,
                "attempts": len(trial.attempts),
                "error": trial.cause,
                **{name: final.get(name, float("nan")) for name in names},
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["trial", "key", "seed", "state"])


def curves_of(record: SweepRecord, *, all_params: bool = False) -> pd.DataFrame:
    """One row a trial and epoch: what each epoch measured.

    Args:
        record: the sweep.
        all_params: every parameter of the configuration, and not only those that the search space varies.

    Returns:
        The columns ``trial``, ``key``, ``seed``, the parameters under their paths, ``epoch`` (from 1),
        ``ended`` (seconds since 1970), and the epoch's metrics under MLflow's names: bounds and NLLs in nats,
        ``time/train_seconds`` cumulative, in seconds, ``system/peak_memory_bytes`` in bytes; NaN where an
        epoch was not evaluated.
    """
    names = _ordered(epoch.metrics for trial in record.trials for epoch in trial.history)
    rows = [
        {
            **_identity(trial),
            **params,
            "epoch": epoch.epoch,
            "ended": epoch.time,
            **{name: epoch.metrics.get(name, float("nan")) for name in names},
        }
        for trial, params in _with_params(record, all_params=all_params)
        for epoch in trial.history
    ]
    return pd.DataFrame(rows, columns=None if rows else ["trial", "key", "seed", "epoch", "ended"])


def _identity(trial: TrialRecord) -> dict[str, Any]:
    return {"trial": trial.plan.name, "key": trial.key, "seed": trial.config.seed}


def _with_params(record: SweepRecord, *, all_params: bool) -> list[tuple[TrialRecord, dict[str, Any]]]:
    """Each trial with its parameters by path; a path that a trial's parts do not have is None."""
    flat = [flatten(trial.config.to_dict()) for trial in record.trials]
    if all_params:
        paths = _ordered(flat)
    else:
        # A part that is varied whole (`annealing`) has one column a leaf.
        paths = _ordered(flatten(trial.plan.overrides) for trial in record.trials)
    return [
        (trial, {path: values.get(path) for path in paths if path != "seed"})
        for trial, values in zip(record.trials, flat, strict=True)
    ]


def _ordered(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every name, in the order in which they appear first."""
    names: dict[str, None] = {}
    for mapping in mappings:
        names.update(dict.fromkeys(mapping))
    return list(names)
