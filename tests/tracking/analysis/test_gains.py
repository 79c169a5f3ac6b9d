import math
import re
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import tables
from tracking.analysis.gains import against_best, gains
from tracking.analysis.strata import strata
from tracking.analysis.time_fit import adjusted_fit, stratum_fit
from tracking.records.records import TrialState
from tracking.report.words.details import details
from tracking.report.words.headline import headline
from tracking.statistics.comparisons import compare


def test_successive_ks_and_the_whole_range_are_one_family(make):
    (table,) = tables(make.sweep(make.ks(50, 1, 5)))
    found = gains(table, strata(table))
    assert [(g.first.num_samples, g.second.num_samples, g.whole) for g in found] == [
        (1, 5, False),
        (5, 50, False),
        (1, 50, True),
    ]
    seeds = [row.values("val_nll_final") for row in (found[0].first, found[0].second, found[1].second)]
    by_hand = compare(seeds, [(0, 1), (1, 2), (0, 2)])
    assert [gain.validation for gain in found] == by_hand


def test_rate_is_nats_over_extra_seconds(make):
    (table,) = tables(make.sweep(make.ks(1, 50)))
    (gain,) = gains(table, strata(table))
    means = [(row.mean("val_nll_final"), row.mean("train_seconds")) for row in table.configurations]
    assert gain.rate == pytest.approx((means[0][0] - means[1][0]) / (means[1][1] - means[0][1]))
    low, high = gain.rate_interval
    assert low < gain.rate < high


def test_one_seed_has_a_rate_without_an_interval(make):
    (table,) = tables(make.sweep(make.ks(1, 50), seeds=(0,)))
    (gain,) = gains(table, strata(table))
    assert gain.rate > 0
    assert (gain.rate_interval, gain.validation.separable) == (None, None)


def test_a_larger_k_that_trained_no_longer_has_no_rate(make):
    trials = [
        make.trial({"objective.num_samples": k, "num_epochs": epochs}) for k, epochs in ((1, 10), (50, 2))
    ]
    (table,) = tables(make.record(trials))
    assert [gain.rate for gain in gains(table, [type(strata(table)[0])("", table.configurations)])] == [None]


def test_pairs_never_mix_what_else_is_varied(make):
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 50) for d in (10, 20)]
    (table,) = tables(make.sweep(points))
    for gain in gains(table, strata(table)):
        assert gain.first.parameters["model.latent_dim"] == gain.second.parameters["model.latent_dim"]


def test_every_other_configuration_is_compared_with_the_best(make):
    (table,) = tables(make.sweep(make.ks(1, 5, 50)))
    found = against_best(table, table.configurations[2])
    assert [row.num_samples for row, _ in found] == [5, 1]
    seeds = [row.values("val_nll_final") for row in table.configurations]
    own = stats.t.ppf(1 - 0.03 / 2, 2) * math.hypot(stats.sem(seeds[1]), stats.sem(seeds[2]))
    pooled = fmean([stats.tvar(values) for values in seeds])  # equal sizes: the mean of the variances
    tukey = stats.studentized_range.ppf(0.98, 3, 6) * math.sqrt(pooled / 3)
    assert found[0][1].half == pytest.approx(max(own, tukey))


def test_line_is_drawn_through_means_so_seeds_do_not_count_twice(make):
    unequal = [
        *make.sweep(make.ks(1), seeds=range(5)).trials,
        *make.sweep(make.ks(20, 50, 100), seeds=(0,)).trials,
    ]
    (table,) = tables(make.record(unequal))
    fit = stratum_fit(strata(table)[0])
    means = np.array([row.mean("train_seconds") for row in table.configurations])
    slope, intercept = np.polyfit([1, 20, 50, 100], means, 1, w=1 / fit.fit.at([1, 20, 50, 100]))
    assert (fit.fit.intercept, fit.fit.slope) == pytest.approx((intercept, slope))
    assert fit.fit.degrees == 2


def test_seconds_per_step_and_sample_divide_by_all_steps(make):
    make.noise = 0.0
    (table,) = tables(make.sweep(make.ks(1, 20, 50), seeds=(0,)))
    fit = stratum_fit(strata(table)[0])
    # .024 s an epoch and sample over 50,000 / 100 steps
    assert (fit.fit.intercept, fit.fit.slope) == pytest.approx((86.0, 0.24))
    assert (fit.steps_per_epoch, fit.per_step) == (500, pytest.approx(0.024 / 500))


def test_random_designs_get_one_adjusted_line(make):
    points = [
        {
            "objective.num_samples": 3 * i + 1,
            "model.latent_dim": 5 + (7 * i) % 11,
            "optimizer.lr": 1e-3 * (1 + i % 5),
        }
        for i in range(12)
    ]
    (table,) = tables(make.sweep(points, seeds=(0,)))
    fit = adjusted_fit(table)
    assert fit.adjusted_for == ("D", "lr")
    assert fit.fit.slope == pytest.approx(0.24, abs=0.02)
    assert headline(analyse(table))[0].startswith("No two configurations differ in K alone")


def test_headline_with_one_k_declines_the_question(make):
    (analysis,) = map(analyse, tables(make.sweep([{"model.latent_dim": d} for d in (5, 10)])))
    assert headline(analysis)[0].startswith("All complete trials have K = 1")


def test_details_name_the_lowest_curve_after_equal_seconds(make):
    (analysis,) = map(analyse, tables(make.sweep(make.ks(1, 5, 500), seeds=(0,))))
    (found,) = analysis.budgets
    lowest = min(found.rows, key=lambda row: row.at_seconds.mean)
    assert lowest.configuration.num_samples == 5  # K = 500 takes more than twice as long an epoch
    assert any(
        "read from the curves, K = 5 has the lowest validation NLL" in words for words in details(analysis)
    )


def test_details_give_no_rate_over_seconds_that_may_be_zero(make):
    measured = {1: (95.0, (10.0, 10.4)), 2: (90.0, (10.1, 10.5)), 50: (85.0, (90.0, 90.5))}
    trials = []
    for k, (nll, seconds) in measured.items():
        for seed, spent in enumerate(seconds):
            final = {"val/nll_final": nll + 0.01 * seed}
            trial = make.trial({"objective.num_samples": k}, seed, final=final)
            last = trial.history[-1]
            last = replace(last, metrics={**last.metrics, "time/train_seconds": spent})
            trials.append(replace(trial, history=(*trial.history[:-1], last)))
    (analysis,) = map(analyse, tables(make.record(trials)))
    first = next(gain for gain in analysis.gains if gain.second.num_samples == 2)
    assert (first.validation.separable, first.rate_interval, first.rated) == (True, None, False)
    words = " ".join(details(analysis))
    assert re.search(r"1→2: −5\.00 nats \[[^]]+\] for 0\.1 s, a time not separable from zero;", words)
    assert re.search(r"2→50: −5\.00 nats \[[^]]+\] for 80\.0 s, 0\.0\d+ nats per extra second \[", words)


def test_details_do_not_sell_a_lead_after_equal_seconds_that_seeds_do_not_show(make):
    make.noise = 3.0
    (analysis,) = map(analyse, tables(make.sweep(make.ks(1, 5, 20), seeds=(0, 1))))
    words = next(words for words in details(analysis) if "After the same" in words)
    assert "not separable from K = " in words


def test_seconds_are_compared_by_their_ratio(make):
    (table,) = tables(make.sweep(make.ks(1, 50)))
    (gain,) = gains(table, strata(table))
    logarithms = [np.log(row.values("train_seconds")) for row in table.configurations]
    error = math.hypot(*map(stats.sem, logarithms))
    assert gain.slower.value == pytest.approx(logarithms[1].mean() - logarithms[0].mean())
    assert gain.slower.half == pytest.approx(stats.t.ppf(0.975, 2) * error)


def test_a_configuration_that_diverged_leaves_the_others_their_verdicts(make):
    healthy = make.sweep(make.ks(1, 50)).trials
    broken = [
        make.trial({"objective.num_samples": 5}, seed, final={"val/nll_final": nll})
        for seed, nll in enumerate((91.0, 700.0, 3000.0))
    ]
    (alone,), (beside,) = (
        tuple(analyse(table) for table in tables(make.record(trials)))
        for trials in (healthy, [*healthy, *broken])
    )
    whole = next(gain for gain in beside.gains if gain.whole)
    assert whole.validation.separable
    assert whole.validation == alone.gains[0].validation
    assert [gain.rated for gain in beside.gains] == [False, False, True]
    assert [row.diverged[:25] for row, one in beside.against_best if one.low is None] == [
        "seed 1 has 700.00 nats, m"
    ]
    words = " ".join(headline(beside))
    assert "1 configuration diverged and is excluded from all comparisons: K=5" in words
    assert "1 has no interval" not in words


def test_a_configuration_is_not_the_best_for_the_seeds_that_did_not_diverge(make):
    trials = [
        make.trial({"objective.num_samples": k}, seed, final={"val/nll_final": nll})
        for k, nlls in ((1, (93.0, 93.1, 93.2)), (5, (80.0, 80.1, 700.0)))
        for seed, nll in enumerate(nlls)
    ]
    failed = make.trial({"objective.num_samples": 5}, 2, TrialState.FAILED)
    (analysis,) = map(analyse, tables(make.record([*trials[:5], failed])))
    assert (analysis.best_row.num_samples, len(analysis.front)) == (1, 1)
    assert "failed: NonFiniteError: loss became nan" in " ".join(headline(analysis))
