import numpy as np
import pytest
from scipy import stats

from tracking.report.fits import fit_line

# Training seconds that were published for these K's (50 epochs of MNIST); least squares gave 432 + 1.20 K.
PUBLISHED_K = (1, 5, 20, 30, 50, 100)
PUBLISHED_SECONDS = (423, 443, 461, 471, 490, 551)


def test_published_times_give_the_published_line():
    fit = fit_line(PUBLISHED_K, PUBLISHED_SECONDS)
    assert (fit.intercept, fit.slope) == (pytest.approx(432, abs=0.5), pytest.approx(1.20, abs=0.005))


def test_intervals_are_those_of_scipys_regression():
    outside = stats.linregress(PUBLISHED_K, PUBLISHED_SECONDS)
    fit, quantile = fit_line(PUBLISHED_K, PUBLISHED_SECONDS), stats.t.ppf(0.975, 4)
    a, b = outside.intercept_stderr * quantile, outside.stderr * quantile
    assert fit.interval("intercept") == pytest.approx((outside.intercept - a, outside.intercept + a))
    assert fit.interval("slope") == pytest.approx((outside.slope - b, outside.slope + b))
    assert fit.r_squared == pytest.approx(outside.rvalue**2)


def test_band_is_the_textbook_band():
    x, y = np.array(PUBLISHED_K), np.array(PUBLISHED_SECONDS)
    outside = stats.linregress(x, y)
    sigma = np.sqrt(np.sum((y - outside.intercept - outside.slope * x) ** 2) / 4)
    at = 70.0
    half = stats.t.ppf(0.975, 4) * sigma * np.sqrt(1 / 6 + (at - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    low, high = fit_line(PUBLISHED_K, PUBLISHED_SECONDS).band([at])
    assert ((high - low) / 2).item() == pytest.approx(half)
    assert ((high + low) / 2).item() == pytest.approx(outside.intercept + outside.slope * at)


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
