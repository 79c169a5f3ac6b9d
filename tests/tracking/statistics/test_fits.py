import numpy as np
import pytest
from scipy import optimize, stats

from tracking.statistics.fits.line import fit_line

# Training seconds that were published for these K's (50 epochs of MNIST); least squares gave 432 + 1.20 K.
PUBLISHED_K = (1, 5, 20, 30, 50, 100)
PUBLISHED_SECONDS = (423, 443, 461, 471, 490, 551)


def test_published_times_give_the_published_line():
    fit = fit_line(PUBLISHED_K, PUBLISHED_SECONDS)
    assert (fit.intercept, fit.slope) == (pytest.approx(432, abs=0.5), pytest.approx(1.20, abs=0.02))


def outside(fit, k, seconds):
    """Weighted least squares by scipy, with the errors that the line says: proportional to itself."""
    return optimize.curve_fit(lambda x, a, b: a + b * x, k, seconds, sigma=fit.at(k))


def test_intervals_are_those_of_scipys_weighted_fit():
    fit, quantile = fit_line(PUBLISHED_K, PUBLISHED_SECONDS), stats.t.ppf(0.975, 4)
    (intercept, slope), covariance = outside(fit, PUBLISHED_K, PUBLISHED_SECONDS)
    assert (fit.intercept, fit.slope) == pytest.approx((intercept, slope))
    a, b = quantile * np.sqrt(np.diag(covariance))
    assert fit.interval("intercept") == pytest.approx((intercept - a, intercept + a))
    assert fit.interval("slope") == pytest.approx((slope - b, slope + b))


def test_proportional_errors_do_not_let_the_longest_time_set_the_rest():
    k = np.array([1, 5, 20, 50, 100, 1000])
    seconds = 10 + 0.5 * k
    seconds[-1] *= 1.2
    fit = fit_line(k, seconds)
    assert fit.intercept == pytest.approx(10, abs=1.0)  # unweighted it is 6
    assert stats.linregress(k, seconds).intercept < 7


def test_slope_covers_as_often_as_it_says_under_proportional_noise():
    rng, k, repeats = np.random.default_rng(0), np.array([1, 5, 20, 50, 100]), 1500
    covered = 0
    for _ in range(repeats):
        low, high = fit_line(k, (10 + 0.5 * k) * np.exp(0.08 * rng.normal(size=5))).interval("slope")
        covered += low <= 0.5 <= high
    assert covered / repeats == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / repeats))


def test_band_is_that_of_scipys_covariance():
    fit, at = fit_line(PUBLISHED_K, PUBLISHED_SECONDS), np.array([1.0, 70.0])
    (intercept, slope), covariance = outside(fit, PUBLISHED_K, PUBLISHED_SECONDS)
    half = stats.t.ppf(0.975, 4) * np.sqrt(at @ covariance @ at)
    low, high = fit.band([70.0])
    assert ((high - low) / 2).item() == pytest.approx(half)
    assert ((high + low) / 2).item() == pytest.approx(intercept + slope * 70.0)


def test_two_points_have_a_line_and_no_interval():
    fit = fit_line((1, 101), (10.0, 30.0))
    assert (fit.intercept, fit.slope) == pytest.approx((9.8, 0.2))
    assert fit.interval("slope") is None
    assert fit.band([5.0]) is None


def test_one_k_has_no_line():
    assert fit_line((5, 5, 5), (1.0, 2.0, 3.0)) is None


def test_adjusting_recovers_the_slope_that_another_parameter_hides():
    rng = np.random.default_rng(0)
    k = rng.integers(1, 100, 40)
    depth = 0.5 * k + rng.normal(0, 5, 40)
    seconds = 20 + 0.3 * k + 2.0 * depth
    fit = fit_line(k.tolist(), seconds.tolist(), depth[:, None])
    assert fit.slope == pytest.approx(0.3)
    assert fit.intercept == pytest.approx(20 + 2.0 * depth.mean())


def test_a_column_that_goes_with_k_leaves_the_slope_undetermined():
    assert fit_line((1, 5, 20, 50), (1.0, 2.0, 3.0, 4.0), np.array([[2.0], [10.0], [40.0], [100.0]])) is None


def test_constant_times_fit_without_a_warning():
    fit = fit_line((1, 5, 20), (3.0, 3.0, 3.0))
    assert (fit.slope, fit.r_squared) == (pytest.approx(0.0, abs=1e-12), None)
