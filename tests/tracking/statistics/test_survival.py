import numpy as np
import pytest
from scipy import stats

from tracking.statistics.survival import median_time


def test_without_censoring_it_is_the_sample_median():
    for times in ([3.0, 1.0, 2.0], [4.0, 1.0, 2.0, 3.0], [5.0]):
        found = median_time(times, [])
        assert found.median == np.median(times)
        assert (found.first, found.last) == (min(times), max(times))
        assert (found.reached, found.count) == (len(times), len(times))


def test_kaplan_and_meiers_median_by_hand():
    """At risk 5, 4, 2, 1: the share left is 4/5, 3/5, then after a loss 3/10."""
    found = median_time([1.0, 2.0, 4.0], [3.0, 5.0])
    assert found.median == 4.0
    assert found.last is None


def test_that_fewer_than_half_got_there_leaves_no_median():
    found = median_time([1.0], [2.0, 2.0])
    assert (found.median, found.first, found.reached, found.count) == (None, 1.0, 1, 3)
    assert median_time([], [2.0]).first is None


def test_few_seeds_have_no_interval():
    assert median_time([1.0, 2.0, 3.0], []).low is None
    found = median_time([float(t) for t in range(1, 9)], [])
    assert found.low is not None
    assert found.high is not None
    assert found.low < 4.5 < found.high


@pytest.mark.parametrize(("count", "censored"), [(10, 0.0), (10, 0.4), (20, 0.4)])
def test_the_interval_covers_the_median_whatever_is_censored(count, censored):
    """Log-normal times with median 1; 600 draws, so that .92 is 3.4 standard errors below 95 %."""
    rng, hits, medians = np.random.default_rng(0), 0, []
    shift = -0.3 * np.sqrt(2) * stats.norm.ppf(censored) if censored else np.inf
    for _ in range(600):
        times = np.exp(0.3 * rng.standard_normal(count))
        ends = np.exp(0.3 * rng.standard_normal(count) + shift)
        found = median_time(times[times <= ends], ends[times > ends])
        hits += (found.low or 0.0) <= 1.0 <= (found.high or np.inf)
        medians.append(found.median or np.inf)
    assert hits / 600 > 0.92
    assert np.median(medians) == pytest.approx(1.0, abs=0.03)
