import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tracking.statistics.comparisons import common_spread, compare


def test_one_comparison_of_equal_seeds_has_students_quantile_of_the_fewer_degrees():
    first, second = [91.2, 91.5, 90.9], [90.6, 90.9, 90.7]
    (found,) = compare([first, second], [(0, 1)])
    error = math.hypot(stats.sem(first), stats.sem(second))
    assert found.value == pytest.approx(np.mean(second) - np.mean(first))
    assert found.half == pytest.approx(stats.t.ppf(0.975, 2) * error)


def test_unequal_seeds_have_each_their_own_quantile():
    first, second = [91.2, 91.5, 90.9, 91.0, 91.3], [90.6, 90.9]
    (found,) = compare([first, second], [(0, 1)])
    halves = [stats.t.ppf(0.975, len(one) - 1) * stats.sem(one) for one in (first, second)]
    assert found.half == pytest.approx(math.hypot(*halves))


def test_agreeing_spreads_give_tukeys_interval():
    base = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    groups = [list(base + shift) for shift in (0.0, 0.3, 0.9, 2.0)]
    quantile = stats.studentized_range.ppf(1 - 0.02, 4, 16) / math.sqrt(2)
    for found in compare(groups, [(0, 1), (0, 2), (0, 3)]):
        own = stats.t.ppf(1 - 0.03 / 2, 4)
        assert found.half == pytest.approx(max(quantile, own) * base.std(ddof=1) * math.sqrt(2 / 5))


def test_a_pair_has_the_same_interval_whatever_it_is_asked_for_with():
    rng = np.random.default_rng(3)
    groups = rng.normal(size=(6, 3)).tolist()
    every = [(i, j) for i in range(6) for j in range(6) if i != j]
    together = dict(zip(every, compare(groups, every), strict=True))
    assert all(compare(groups, [pair]) == [together[pair]] for pair in every)


def test_an_unsteady_configuration_has_its_own_interval_and_leaves_the_others_theirs():
    steady = [[90.0 + shift + 0.1 * step for step in range(5)] for shift in range(6)]
    pairs = [(0, 1), (0, 2)]
    alone = compare(steady, pairs)
    wide = [60.0, 90.0, 120.0, 110.0, 70.0]
    beside = compare([*steady, wide], [*pairs, (0, 6)])
    assert beside[0].half == pytest.approx(alone[0].half, rel=0.1)
    error = math.hypot(stats.sem(steady[0]), stats.sem(wide))
    assert beside[2].half == pytest.approx(stats.t.ppf(1 - 0.03 / 2, 4) * error)


def test_one_that_diverged_takes_no_part():
    healthy = [[90.1, 90.3, 90.2], [91.8, 92.0, 91.9], [92.1, 92.2, 92.4]]
    pairs = [(0, 1), (0, 2)]
    found = compare([*healthy, [500.0, 9000.0, 70.0]], [*pairs, (0, 3)], apart={3})
    assert found[:2] == compare(healthy, pairs)
    assert (found[2].low, found[2].separable) == (None, None)


def test_a_single_seed_has_no_interval_because_nothing_is_known_of_its_spread():
    found = compare([[91.2, 91.5, 90.9], [90.6, 90.9, 90.7], [80.0]], [(0, 1), (0, 2)])
    assert found[0].separable is not None
    assert (found[1].value, found[1].low, found[1].separable) == (pytest.approx(-11.2), None, None)


def test_one_seed_everywhere_separates_nothing():
    (found,) = compare([[91.0], [80.0]], [(0, 1)])
    assert (found.value, found.low, found.separable) == (-11.0, None, None)


def test_equal_values_are_not_separable_though_nothing_varies():
    (found,) = compare([[93.1, 93.1, 93.1], [93.1, 93.1]], [(0, 1)])
    assert found.separable is False


def test_different_values_without_any_spread_are_separable():
    (found,) = compare([[93.1, 93.1], [92.1, 92.1]], [(0, 1)])
    assert found.separable is True


def test_every_look_has_its_part_of_the_error_rate():
    first, second = [91.2, 91.5, 90.9], [90.6, 90.9, 90.7]
    (found,) = compare([first, second], [(0, 1)], looks=4)
    error = math.hypot(stats.sem(first), stats.sem(second))
    assert found.half == pytest.approx(stats.t.ppf(1 - 0.0125 / 2, 2) * error)


def test_a_clearly_wider_spread_is_not_pooled():
    steady = [[0.0, 1.0, 2.0, 3.0]] * 6
    found = common_spread([*steady, [0.0, 100.0, 200.0, 300.0]])
    assert (found.variance, found.degrees) == (pytest.approx(np.var([0, 1, 2, 3], ddof=1)), 18)


def test_configurations_whose_spread_stands_out_are_counted():
    steady, wide = [[0.0, 1.0, 2.0, 3.0]] * 6, [[0.0, 9.0, 18.0, 27.0]] * 2
    assert (common_spread(steady).unsteady, common_spread([*steady, *wide]).unsteady) == (1, 2)


def test_nothing_replicated_has_no_spread():
    assert common_spread([[1.0], [2.0]]) is None


GROUPS = st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=4), min_size=2, max_size=6)


@settings(max_examples=50, deadline=None)
@given(GROUPS, st.floats(0.1, 10))
def test_a_verdict_does_not_depend_on_the_unit(groups, unit):
    pairs = [(0, index) for index in range(1, len(groups))]
    scaled = [[unit * value for value in values] for values in groups]
    for one, other in zip(compare(groups, pairs), compare(scaled, pairs), strict=True):
        assert other.value == pytest.approx(unit * one.value, abs=1e-9)
        assert (one.low is None) == (other.low is None)
        if one.low is not None:
            assert other.half == pytest.approx(unit * one.half, rel=1e-6, abs=1e-9)
