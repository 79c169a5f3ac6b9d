"""The tables of records whose numbers are known."""

import math

import pytest

from support.factory import Factory
from sweeps.results.tables import curves_of, table_of
from sweeps.results.trials import trial_of
from tracking.errors import RecordError
from tracking.records.records import TrialState

LINEAR = {"name": "linear", "warmup_epochs": 3}


def test_a_row_a_trial_with_what_is_varied_and_its_final_metrics() -> None:
    record = Factory().sweep(Factory().ks(1, 5), states={3: TrialState.FAILED, 4: TrialState.WAITING})
    table = table_of(record)
    assert list(table["key"]) == [trial.key for trial in record.trials]
    assert list(table["objective.num_samples"]) == [1, 1, 1, 5, 5, 5]
    assert list(table["seed"]) == [0, 1, 2] * 2
    assert list(table["state"]) == ["COMPLETE"] * 3 + ["FAILED", "WAITING", "COMPLETE"]
    assert list(table["epochs"]) == [10, 10, 10, 5, 0, 10]
    for row, trial in zip(table["val/nll_final"], record.trials, strict=True):
        assert row == (trial.final or {}).get("val/nll_final") or (math.isnan(row) and trial.final is None)
    assert table["error"][3] == "NonFiniteError: loss became nan in epoch 5"
    assert "num_epochs" not in table
    assert set(table_of(record, all_params=True)["num_epochs"]) == {10}


def test_a_row_an_epoch() -> None:
    record = Factory().sweep(Factory().ks(1, 5), seeds=[0], states={1: TrialState.PRUNED})
    curves = curves_of(record)
    assert list(curves["epoch"]) == [*range(1, 11), *range(1, 6)]
    expected = [epoch.metrics["val/nll"] for trial in record.trials for epoch in trial.history]
    assert list(curves["val/nll"]) == expected
    assert curves.groupby("key")["time/train_seconds"].max().to_dict() == {
        trial.key: trial.train_seconds for trial in record.trials
    }


def test_a_part_that_is_varied_whole_has_a_column_a_leaf() -> None:
    record = Factory().sweep([{"annealing": {"name": "none"}}, {"annealing": LINEAR}], seeds=[0])
    table = table_of(record)
    assert list(table["annealing.name"]) == ["none", "linear"]
    assert math.isnan(table["annealing.warmup_epochs"][0])
    assert table["annealing.warmup_epochs"][1] == 3


def test_a_sweep_without_trials_has_empty_tables() -> None:
    record = Factory().record([])
    assert table_of(record).empty
    assert curves_of(record).empty


def test_a_trial_is_found_by_its_name_and_by_the_beginning_of_its_key() -> None:
    record = Factory().sweep(Factory().ks(1, 5), seeds=[0])
    trial = record.trials[1]
    assert trial_of(record, trial.plan.name) is trial
    assert trial_of(record, trial.key[:12]) is trial
    with pytest.raises(RecordError, match="k-tradeoff has no trial 'K=7': must be a trial's name or key"):
        trial_of(record, "K=7")
