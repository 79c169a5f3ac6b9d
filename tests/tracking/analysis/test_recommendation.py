"""Which K is recommended, and how often what is said of it is wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import tables
from tracking.analysis.recommendation import Doubt, recommend
from tracking.analysis.strata import strata
from tracking.statistics.comparisons import compare


def measured(make, nlls, **more):
    """A table of configurations that differ in K alone, from the NLLs of each K's seeds."""
    trials = [
        make.trial({"objective.num_samples": k}, seed, final={"val/nll_final": nll}, index=seed)
        for k, values in nlls.items()
        for seed, nll in enumerate(values)
    ]
    (table,) = tables(make.record(trials))
    yardstick = table.yardstick._replace(**more) if hasattr(table.yardstick, "_replace") else table.yardstick
    return replace(table, yardstick=replace(yardstick, **more) if more else yardstick)


def around(nll, spread=0.1):
    return (nll - spread, nll, nll + spread)


def recommended(make, nlls):
    table = measured(make, nlls)
    return recommend(table, strata(table)[0])


def test_the_smallest_k_that_is_not_separable_from_the_best_is_recommended(make):
    found = recommended(make, {1: around(93), 5: around(91), 20: around(90.1), 50: around(90)})
    assert (found.chosen.num_samples, found.best.num_samples, found.doubt, found.open) == (20, 50, None, ())


def test_what_it_gives_up_at_most_is_the_upper_end_of_the_interval(make):
    nlls = {1: around(93), 5: around(91), 20: around(90.1), 50: around(90)}
    (by_hand,) = compare(list(nlls.values()), [(3, 2)])
    judged = recommended(make, nlls).judged
    assert judged.gives_up.value == pytest.approx(0.1)
    assert judged.at_most == pytest.approx(by_hand.high)


def test_the_best_may_be_behind_any_other_k(make):
    nlls = {1: around(95), 5: around(90.05, 1.0), 20: around(90.02), 50: around(90.0)}
    by_hand = compare(list(nlls.values()), [(0, 3), (1, 3), (2, 3)])
    best = recommended(make, nlls).standings[-1]
    assert best.at_most == pytest.approx(max(one.high for one in by_hand))


def test_a_k_that_may_give_up_more_than_it_gains_is_named_and_not_recommended(make):
    found = recommended(
        make, {1: around(92), 5: around(90.7, 0.2), 20: around(90.1, 0.2), 50: around(90, 0.2)}
    )
    assert found.chosen.num_samples == 20
    (five,) = found.open
    assert five.configuration.num_samples == 5
    assert five.near
    assert five.gains_at_least < five.at_most


def test_seeds_that_show_nothing_recommend_nothing(make):
    found = recommended(make, {1: around(90.3, 2), 5: around(90.1, 2), 50: around(90, 2)})
    assert (found.chosen, found.doubt) == (None, Doubt.NOTHING_SHOWN)
    assert found.judged.configuration.num_samples == 1
    assert found.judged.power.more_seeds is None  # .3 nats beside a spread of 2


def test_the_best_is_recommended_where_every_smaller_k_is_worse(make):
    found = recommended(make, {1: around(93), 5: around(92), 50: around(90)})
    assert (found.chosen.num_samples, found.at_the_end, found.judged.power) == (50, True, None)


def test_the_smallest_k_is_recommended_where_a_larger_one_is_worse(make):
    found = recommended(make, {1: around(90), 5: around(90.1), 50: around(93)})
    assert (found.chosen.num_samples, found.judged.change) == (1, None)


def test_a_smallest_k_that_is_the_best_by_chance_is_not_recommended(make):
    found = recommended(make, {1: around(90, 2), 5: around(90.2, 2), 50: around(90.3, 2)})
    assert (found.chosen, found.doubt) == (None, Doubt.NOTHING_SHOWN)


def test_one_seed_recommends_nothing(make):
    found = recommended(make, {1: (93.0,), 5: (91.0,), 50: (90.0,)})
    assert (found.chosen, found.doubt, found.judged) == (None, Doubt.NO_REPLICATES, None)
    assert found.best.num_samples == 50


def test_a_best_k_with_one_seed_recommends_nothing(make):
    found = recommended(make, {1: around(93), 5: around(91), 50: (90.0,)})
    assert (found.chosen, found.doubt) == (None, Doubt.BEST_HAS_ONE_SEED)


def test_a_k_with_one_seed_is_named(make):
    found = recommended(make, {1: around(93), 5: (91.0,), 50: around(90)})
    assert (found.chosen.num_samples, [row.num_samples for row in found.unjudged]) == (50, [5])


def test_a_k_that_diverged_takes_no_part(make):
    found = recommended(make, {1: around(93), 5: around(91), 50: (80.0, 80.1, 5000.0)})
    assert found.best.num_samples == 5
    assert [one.configuration.num_samples for one in found.standings] == [1, 5]


def test_too_few_importance_samples_recommend_nothing(make):
    table = measured(make, {1: around(93), 50: around(90)}, final_num_samples=50)
    assert recommend(table, strata(table)[0]).doubt is Doubt.TOO_FEW_SAMPLES


def test_a_sweep_without_two_ks_has_no_recommendation(make):
    (analysis,) = map(analyse, tables(make.sweep([{"model.latent_dim": d} for d in (5, 10)])))
    assert analysis.recommendation is None


TRUTH = {1: 92.0, 5: 91.0, 20: 90.3, 50: 90.0}
SWEEPS = 300


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("first_spread", [1.0, 10.0], ids=["equal spreads", "one ten times"])
def test_the_bound_on_what_is_given_up_is_seldom_wrong(make, seeds, first_spread):
    """benchmarks/simulations/recommendation.py is the long form, with how often a K is recommended at all."""
    table = measured(make, {k: (nll,) * seeds for k, nll in TRUTH.items()})
    rng = np.random.default_rng(seeds)
    truth, lowest = np.array(list(TRUTH.values())), min(TRUTH.values())
    wrong = 0
    for _ in range(SWEEPS):
        drawn = truth[:, None] + np.array([[first_spread], [1], [1], [1]]) * 0.2 * rng.normal(size=(4, seeds))
        found = recommend(*again(table, drawn))
        if found.chosen is not None:
            given_up = TRUTH[found.chosen.num_samples] - lowest
            half = found.chosen.num_samples > 1 and 2 * given_up > TRUTH[1] - lowest
            wrong += given_up > found.judged.at_most or half
    assert wrong / SWEEPS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / SWEEPS)


def again(table, nlls):
    """The table and its stratum with other NLLs: planning trials anew would take most of the time."""
    rows = tuple(
        replace(
            row,
            trials=tuple(
                replace(trial, final={**trial.final, "val/nll_final": float(nll)})
                for trial, nll in zip(row.trials, values, strict=True)
            ),
        )
        for row, values in zip(table.configurations, nlls, strict=True)
    )
    fresh = replace(table, configurations=rows)
    return fresh, strata(fresh)[0]
