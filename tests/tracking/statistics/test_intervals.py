import math

import numpy as np
import pytest
from scipy import stats

from tracking.statistics.intervals import (
    pooled_variance,
    positive_interval,
    ratio_interval,
    t_interval,
    t_quantile,
)


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


def test_interval_of_a_positive_quantity_is_scipys_of_the_logarithm_of_the_mean():
    seconds = [2.0, 3.1, 2.6]
    mean, error = np.mean(seconds), stats.sem(seconds)
    low, high = stats.t.interval(0.95, 2, math.log(mean), error / mean)
    found = positive_interval(seconds)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, math.exp(low), math.exp(high)))


@pytest.mark.parametrize("values", [(1.0, 9.0), (0.0, 0.0, 3.0), (1e-9, 1.0)])
def test_interval_of_a_positive_quantity_holds_no_negative_number(values):
    found = positive_interval(values, 0.0, 50.0)
    assert t_interval(values).low < 0
    assert 0 <= found.low < found.mean < found.high <= 50


def test_zero_everywhere_is_an_interval_of_zero():
    found = positive_interval([0.0, 0.0])
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_interval_of_a_skewed_quantity_covers_its_mean_as_often_as_it_says(size):
    # Log-normal with a coefficient of variation of 30 %: the t-interval without a logarithm covers 94.0 %.
    rng, spread = np.random.default_rng(0), math.sqrt(math.log(1.09))
    draws = np.exp(spread * rng.standard_normal((4000, size)) - spread**2 / 2)
    found = [positive_interval(values) for values in draws.tolist()]
    assert np.mean([one.low <= 1.0 <= one.high for one in found]) == pytest.approx(0.947, abs=0.011)


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
