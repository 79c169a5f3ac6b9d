from dataclasses import replace

import pytest

from tests.support.factory import Factory
from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import tables
from tracking.analysis.curves.time_to_target import TimeToTarget, time_to_target
from tracking.analysis.strata import strata
from tracking.records.records import EpochRecord, TrialRecord, TrialState


def with_curve(trial: TrialRecord, seconds: tuple[float, ...], nlls: tuple[float, ...]) -> TrialRecord:
    rows = [
        EpochRecord(epoch, at, {"time/train_seconds": at, "val/nll": nll})
        for epoch, (at, nll) in enumerate(zip(seconds, nlls, strict=True), start=1)
    ]
    return replace(trial, history=tuple(rows))


def trial_of(make: Factory, k: int, seed: int, seconds: tuple[float, ...], nlls: tuple[float, ...]):
    final = {"val/nll_final": nlls[-1] - 1.0}  # a nat below the curve's last value
    return with_curve(make.trial({"objective.num_samples": k}, seed, final=final), seconds, nlls)


def times_of(make: Factory, trials: list[TrialRecord]) -> TimeToTarget:
    found = time_to_target(strata(tables(make.record(trials))[0])[0])
    assert found is not None
    return found


FAST, SLOW = (1.0, 2.0, 3.0), (2.0, 4.0, 6.0)


def test_targets_are_where_the_others_end_and_half_a_nat_above_the_best(make):
    trials = [
        trial_of(make, 1, 0, FAST, (99.0, 97.0, 96.0)),
        trial_of(make, 5, 0, FAST, (98.0, 94.0, 93.0)),
        trial_of(make, 50, 0, SLOW, (95.0, 92.0, 91.0)),
    ]
    found = times_of(make, trials)
    assert [(one.nll, one.ended_at and one.ended_at.num_samples) for one in found.targets] == [
        (95.0, 1),
        (92.0, 5),
        (90.5, None),
    ]
    # The targets on the curves, which lie a nat higher: 96, 93 and 91.5.
    assert [[time.median for time in one.times] for one in found.targets] == [
        [3.0, 2.0, 2.0],
        [None, 3.0, 4.0],
        [None, None, 6.0],
    ]
    assert found.resolution == 2.0


def test_a_seed_that_does_not_get_there_counts_as_longer(make):
    trials = [
        trial_of(make, 1, seed, (1.0, 2.0, 3.0), (99.0, 97.0, last))
        for seed, last in ((0, 95.0), (1, 96.0), (2, 97.0))
    ]
    found = times_of(make, [*trials, trial_of(make, 50, 0, SLOW, (95.0, 92.0, 91.0))])
    first = found.targets[0]
    assert first.nll == 95.0  # the mean of K = 1
    # On its own scale the last seed ends at 96, and two of three reach 95.
    assert (first.times[0].reached, first.times[0].count, first.times[0].median) == (2, 3, 3.0)


def test_a_trial_that_was_stopped_is_censored_and_a_pruned_one_left_out(make):
    whole = [trial_of(make, 1, 0, FAST, (99.0, 97.0, 96.0)), trial_of(make, 50, 0, SLOW, (95.0, 92.0, 91.0))]
    stopped = make.trial({"objective.num_samples": 50}, 1, TrialState.STOPPED)
    pruned = make.trial({"objective.num_samples": 50}, 2, TrialState.PRUNED)
    parts = [with_curve(trial, (2.0,), (97.0,)) for trial in (stopped, pruned)]
    best = times_of(make, [*whole, *parts]).targets[0].times[1]
    assert (best.reached, best.count) == (1, 2)


def test_curves_that_were_not_measured_alike_are_not_compared(make):
    few = make.trial({"objective.num_samples": 5}, base={"evaluation": {"num_samples": 7}})
    stratum = strata(tables(make.record([make.trial({"objective.num_samples": 1}), few]))[0])[0]
    assert len(stratum.configurations) == 2
    assert time_to_target(stratum) is None


def test_one_k_has_no_target(make):
    record = make.record([make.trial({"objective.num_samples": 1}, seed) for seed in (0, 1)])
    assert analyse(tables(record)[0]).time_to_target is None


def test_no_time_is_later_than_the_evaluation_that_shows_it(make):
    """Against every curve read one point after the other."""
    record = make.sweep(make.ks(1, 5, 50), seeds=(0, 1, 2))
    found = analyse(tables(record)[0]).time_to_target
    assert found is not None
    for target in found.targets:
        for curves, time in zip(found.curves, target.times, strict=True):
            seen = [
                min((p.seconds for p in one.points if p.nll <= target.nll), default=None) for one in curves
            ]
            known = sorted(one for one in seen if one is not None)
            assert time.reached == len(known)
            if known:
                assert time.first == pytest.approx(known[0])
