import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tracking.report.statistics import (
    differences,
    holm,
    holm_confidences,
    pooled_variance,
    ratio_interval,
    t_interval,
    t_quantile,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_interval_over_seeds_is_scipys():
    values = [91.2, 91.5, 90.9, 91.4]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    found = t_interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))


def test_one_seed_has_no_interval():
    found = t_interval([91.2])
    assert (found.mean, found.low, found.high, found.count) == (91.2, None, None, 1)


def test_no_value_has_no_estimate():
    assert t_interval([]) is None


def test_pooled_variance_weights_by_degrees_of_freedom():
    # s² = 1 with one degree of freedom twice over, s² = 4 with two: (1·½·2 + 4·2) / (1 + 2)
    pooled = pooled_variance([[0.0, math.sqrt(2)], [0.0, 2.0, 4.0], [7.0]])
    assert (pooled.variance, pooled.degrees) == (pytest.approx((1 + 8) / 3), 3)


def test_without_a_replicate_nothing_is_pooled():
    assert pooled_variance([[1.0], [2.0]]) is None


def test_difference_of_two_configurations_is_students_test():
    first, second = [91.2, 91.5, 90.9], [90.6, 90.9, 90.7, 90.8]
    outside = stats.ttest_ind(second, first)
    low, high = outside.confidence_interval(0.95)
    (found,) = differences([(first, second)], pooled_variance([first, second]))
    assert found.value == pytest.approx(np.mean(second) - np.mean(first))
    assert (found.p, found.holm_p) == pytest.approx((outside.pvalue, outside.pvalue))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.holm_low, found.holm_high) == pytest.approx((low, high))


def test_variance_is_borrowed_from_other_configurations():
    values = [[91.2, 91.5, 90.9], [90.6, 90.9, 90.7], [90.1]]
    spread = math.sqrt(pooled_variance(values).variance * (1 / 3 + 1))
    (found,) = differences([(values[0], values[2])], pooled_variance(values))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 4) * spread)


def test_one_seed_everywhere_separates_nothing():
    (found,) = differences([([91.0], [80.0])], pooled_variance([[91.0], [80.0]]))
    assert (found.value, found.low, found.holm_p, found.separable) == (-11.0, None, None, None)


def test_overlapping_intervals_may_belong_to_separable_configurations():
    first, second = [91.00, 91.10, 91.20], [91.25, 91.35, 91.45]
    assert t_interval(first).high > t_interval(second).low
    (found,) = differences([(first, second)], pooled_variance([first, second]))
    assert found.separable


def test_holm_on_a_worked_example():
    # .01·4 = .04; .02·3 = .06; .03·2 = .06; .04·1 = .04, raised to .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_never_exceeds_one():
    assert holm([0.6, 0.9]) == [1.0, 1.0]


@given(P_VALUES)
def test_holm_lies_between_the_raw_p_and_bonferroni(p_values):
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p_values)) or adjusted == pytest.approx(raw)


def test_holm_levels_stay_after_the_first_that_is_not_rejected():
    levels = holm_confidences([0.001, 0.3, 0.04])  # rejected at .05/3; .04 > .05/2 stops it there
    assert levels == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 1 - 0.05 / 2])


@settings(max_examples=50)
@given(st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=4), min_size=2, max_size=6))
def test_corrected_interval_leaves_out_zero_exactly_where_holm_rejects(groups):
    pooled = pooled_variance(groups)
    for found in differences([(groups[0], other) for other in groups[1:]], pooled):
        if abs(found.holm_p - 0.05) > 1e-6 and found.holm_high - found.holm_low > 1e-6:
            assert found.separable == (found.holm_low > 0 or found.holm_high < 0)


def test_equal_values_are_not_separable_though_nothing_varies():
    (found,) = differences([([93.1, 93.1, 93.1], [93.1, 93.1])], pooled_variance([[93.1] * 3, [93.1] * 2]))
    assert (found.p, found.separable) == (1.0, False)


def test_different_values_without_any_spread_are_separable():
    (found,) = differences([([93.1, 93.1], [92.1, 92.1])], pooled_variance([[93.1] * 2, [92.1] * 2]))
    assert (found.p, found.separable) == (0.0, True)


def test_ratio_over_a_known_denominator_is_the_scaled_interval():
    # with bottom = 10 exactly: (3 ± 2·.5) / 10
    assert ratio_interval(3, 10, 0.25, 0, 0, 2.0) == pytest.approx((0.2, 0.4))


def test_ratio_has_no_interval_over_a_denominator_that_may_be_zero():
    assert ratio_interval(3, 1, 0.25, 1.0, 0, 2.0) is None


def test_ratio_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered, repeats, size = 0, 2000, 4
    chol = np.linalg.cholesky(np.array([[0.04, 0.03], [0.03, 0.25]]))
    for _ in range(repeats):
        draws = np.array([2.0, 8.0]) + rng.normal(size=(size, 2)) @ chol.T
        cov = np.cov(draws.T) / size
        top, bottom = draws.mean(axis=0)
        low, high = ratio_interval(top, bottom, cov[0, 0], cov[1, 1], cov[0, 1], t_quantile(size - 1))
        covered += low <= 0.25 <= high
    assert covered / repeats == pytest.approx(0.95, abs=0.015)
