from dataclasses import replace

import pytest

from iwae.config import TrainConfig
from tracking.records import EpochRecord
from tracking.report.budgets import broken_off, budget
from tracking.report.strata import Stratum, strata
from tracking.report.tables import tables


def with_curve(trial, seconds, nlls):
    rows = [
        EpochRecord(e, s, {"time/train_seconds": s, **({} if n is None else {"val/nll": n})})
        for e, (s, n) in enumerate(zip(seconds, nlls, strict=True), start=1)
    ]
    return replace(trial, history=tuple(rows))


def stratum(make, *curves) -> Stratum:
    trials = [
        with_curve(make.trial({"objective.num_samples": k}), seconds, nlls) for k, seconds, nlls in curves
    ]
    return strata(tables(make.record(trials))[0])[0]


def test_curves_are_read_as_steps_and_never_beyond_their_end(make):
    found = budget(
        stratum(make, (1, (1.0, 2.0, 3.0), (99.0, 97.0, 96.0)), (50, (2.0, 4.0, 6.0), (95.0, 93.0, 92.0)))
    )
    assert (found.epochs, found.seconds) == (3, 3.0)
    assert [row.at_epochs.mean for row in found.rows] == [96.0, 92.0]
    assert [row.at_seconds.mean for row in found.rows] == [
        96.0,
        95.0,
    ]  # at 3 s the slow one stands at epoch 1
    assert [row.epochs_at_seconds for row in found.rows] == [(3, 3), (1, 1)]


def test_a_trial_slower_than_the_whole_budget_has_no_value_in_it(make):
    found = budget(stratum(make, (1, (1.0, 2.0), (99.0, 97.0)), (50, (5.0, 9.0), (95.0, 93.0))))
    assert [row.at_seconds for row in found.rows][1] is None
    assert found.rows[1].epochs_at_seconds == (0, 0)


def test_epochs_without_an_evaluation_keep_the_value_before(make):
    found = budget(
        stratum(
            make,
            (1, (1.0, 2.0, 3.0, 4.0), (99.0, None, None, 96.0)),
            (5, (1.5, 3.0, 4.5), (98.0, 97.0, 95.0)),
        )
    )
    assert (found.epochs, found.seconds) == (3, 4.0)
    assert [row.at_epochs.mean for row in found.rows] == [99.0, 95.0]
    assert [row.at_seconds.mean for row in found.rows] == [96.0, 97.0]


def test_one_configuration_has_no_budget_to_share(make):
    assert budget(stratum(make, (1, (1.0,), (99.0,)))) is None


def test_curves_measured_differently_are_not_compared(make):
    trials = [
        make.trial({"objective.num_samples": k, "evaluation.num_samples": n}) for k, n in ((1, 50), (5, 100))
    ]
    (table,) = tables(make.record(trials))
    assert budget(Stratum("", table.configurations)) is None


CYCLICAL = {"annealing": {"name": "cyclical", "cycles": 4}}
COSINE = {"optimizer": {"schedule": {"name": "cosine"}}}
STAGES = {"optimizer": {"schedule": {"name": "stages", "epochs": [5, 15], "factors": [1.0, 0.5]}}}
WARM_UP = {"annealing": {"name": "linear", "warmup_epochs": 8}}


@pytest.mark.parametrize(
    ("part", "epochs", "cut"),
    [
        ({}, 3, []),
        (WARM_UP, 7, ["linear warm-up of 8 epochs"]),
        (WARM_UP, 8, []),
        (CYCLICAL, 19, ["cyclical annealing"]),
        (CYCLICAL, 20, []),
        (COSINE, 19, ["cosine learning rate"]),
        (STAGES, 5, ["staged learning rate"]),
        (STAGES, 6, []),
        ({**CYCLICAL, **COSINE}, 10, ["cyclical annealing", "cosine learning rate"]),
    ],
)
def test_schedules_that_equal_seconds_break_off_are_named(part, epochs, cut):
    assert broken_off(TrainConfig.parse({"num_epochs": 20, **part}), epochs) == cut
