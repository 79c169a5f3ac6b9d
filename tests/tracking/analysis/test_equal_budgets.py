import math
from dataclasses import replace

import numpy as np
import pytest

from iwae.config.train import TrainConfig
from tracking.analysis.configurations import tables
from tracking.analysis.equal_budgets import against_lowest, broken_off, budget, moment, read
from tracking.analysis.strata import Stratum, strata
from tracking.records.records import EpochRecord


def with_curve(trial, seconds, nlls):
    rows = [
        EpochRecord(e, s, {"time/train_seconds": s, **({} if n is None else {"val/nll": n})})
        for e, (s, n) in enumerate(zip(seconds, nlls, strict=True), start=1)
    ]
    return replace(trial, history=tuple(rows))


def stratum(make, *curves, shift=0.0) -> Stratum:
    """Of each K seconds and NLLs; final NLLs are the last ones and ``shift``."""
    trials = [
        with_curve(
            make.trial({"objective.num_samples": k}, final={"val/nll_final": nlls[-1] + shift}), seconds, nlls
        )
        for k, seconds, nlls in curves
    ]
    return strata(tables(make.record(trials))[0])[0]


def test_all_curves_are_read_when_the_slowest_was_last_evaluated(make):
    fast, slow = (1, (1.0, 2.0, 3.0), (99.0, 97.0, 96.0)), (50, (2.0, 4.0, 6.0), (95.0, 93.0, 92.0))
    found = budget(stratum(make, fast, slow))
    assert (found.epochs, found.seconds) == (3, 2.0)
    assert [row.at_epochs.mean for row in found.rows] == [96.0, 92.0]
    assert [row.at_seconds.mean for row in found.rows] == [97.0, 95.0]
    assert [row.epochs_at_seconds for row in found.rows] == [(2, 2), (1, 1)]


def test_a_curve_ends_at_its_final_nll_so_that_few_samples_flatter_nobody(make):
    fast, slow = (1, (1.0, 2.0), (99.0, 97.0)), (50, (1.0, 2.0), (95.0, 93.0))
    found = budget(stratum(make, fast, slow, shift=-0.5))
    assert [row.at_seconds.mean for row in found.rows] == [96.5, 92.5]


def test_a_trial_slower_than_the_whole_budget_has_no_value_in_it(make):
    found = budget(stratum(make, (1, (1.0, 2.0), (99.0, 97.0)), (50, (5.0, 9.0), (95.0, 93.0))))
    assert found.seconds == 2.0
    assert [row.at_seconds for row in found.rows][1] is None
    assert found.rows[1].epochs_at_seconds == (0, 0)


def test_epochs_without_an_evaluation_are_interpolated(make):
    every_third = (1, (1.0, 2.0, 3.0, 4.0), (99.0, None, None, 96.0))
    found = budget(stratum(make, every_third, (5, (1.5, 3.0, 4.5), (98.0, 97.0, 95.0))))
    assert (found.epochs, found.seconds) == (1, 3.0)
    assert [row.at_epochs.mean for row in found.rows] == [99.0, 98.0]
    between = 99.0 - 3.0 * math.log(3.0) / math.log(4.0)
    assert [row.at_seconds.mean for row in found.rows] == [pytest.approx(between), 97.0]


def test_the_moment_is_the_rarest_curves_last_evaluation_within_reach_of_all():
    assert moment([(4, 8, 12), (5, 10, 15), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)]) == 8
    assert moment([(4, 8, 12), (30, 60)]) == 12


def test_a_curve_is_read_nowhere_but_between_its_ends():
    assert [read((2.0, 4.0), (9.0, 8.0), at) for at in (1.9, 2.0, 4.0, 4.1)] == [None, 9.0, 8.0, None]


def test_a_power_law_is_read_within_a_hundredth_of_what_was_learned():
    def nll(t):
        return 90 + 60 * t**-0.6

    times = np.arange(1, 20) * 30.0
    for at in (47.0, 100.0, 410.0):
        chord = float(np.interp(at, times, nll(times)))
        assert abs(read(tuple(times), tuple(nll(times)), at) - nll(at)) < 0.02
        assert abs(read(tuple(times), tuple(nll(times)), at) - nll(at)) < 0.25 * abs(chord - nll(at))


def test_curves_that_are_the_same_in_time_are_separable_no_more_often_than_chance(make):
    """Epochs of 4 and of 30 s on one curve NLL(t), as in 200 sweeps of three seeds."""
    rng = np.random.default_rng(0)
    base = {
        k: [make.trial({"objective.num_samples": k}, seed) for seed in range(3)] for k in (1, 50)
    }  # the plan is made once: drawing it costs most of the time

    def again(trial, epoch_seconds):
        times = epoch_seconds * np.arange(1, 1 + round(600 / epoch_seconds)) * rng.uniform(0.97, 1.03)
        nlls = 90 + 60 * times**-0.6 + rng.normal(0, 0.2)
        few = 0.3 + 0.2 * (epoch_seconds > 10)  # few samples flatter small K
        done = with_curve(trial, tuple(times), tuple(nlls + few))
        return replace(done, final={**done.final, "val/nll_final": float(nlls[-1])})

    separable, sweeps = 0, 200
    for _ in range(sweeps):
        trials = [again(t, seconds) for k, seconds in ((1, 4.0), (50, 30.0)) for t in base[k]]
        found = budget(strata(tables(make.record(trials))[0])[0])
        separable += bool(against_lowest(found)[0][1].separable)
    assert separable / sweeps <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / sweeps)


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
