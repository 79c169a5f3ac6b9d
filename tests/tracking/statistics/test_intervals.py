import math

import numpy as np
import pytest
from scipy import stats

from tracking.statistics.intervals import pooled_variance, ratio_interval, t_interval, t_quantile


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


def test_ratio_over_a_known_denominator_is_the_scaled_interval():
    assert ratio_interval(3, 10, 1.0, 0) == pytest.approx((0.2, 0.4))


def test_ratio_has_no_interval_over_a_denominator_that_may_be_zero():
    assert ratio_interval(3, 1, 1.0, 2.0) is None


def test_ratio_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered, repeats, size = 0, 2000, 4
    half = t_quantile(size - 1) / math.sqrt(size)
    for _ in range(repeats):
        top, bottom = 2.0 + 0.2 * rng.normal(size=size), 8.0 + 0.5 * rng.normal(size=size)
        low, high = ratio_interval(
            top.mean(), bottom.mean(), half * top.std(ddof=1), half * bottom.std(ddof=1)
        )
        covered += low <= 0.25 <= high
    assert covered / repeats >= 0.94  # Banerjee's bound: never less than it says, often more
