"""The curve a + b K^(−c) against scipy's least squares, and its interval's coverage by simulation."""

import math

import numpy as np
import pytest
from scipy import optimize

from tracking.statistics.fits.saturation import fit_saturation

KS = np.array([1.0, 5, 20, 50, 100])
TRUTH = 90 + 3 * KS**-0.5


def fitted(means, *, ks=KS, seeds=3, variance=0.04):
    return fit_saturation(ks, means, [seeds] * len(ks), variance, len(ks) * (seeds - 1))


def test_means_on_a_curve_give_it_back():
    found = fitted(TRUTH)
    assert (found.limit, found.amplitude, found.exponent) == pytest.approx((90, 3, 0.5), rel=1e-3)
    assert found.beyond == pytest.approx(3 * 100**-0.5, rel=5e-3)
    assert found.at([1, 100]) == pytest.approx([93, 90.3], rel=1e-4)
    assert found.fits


def test_the_curve_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    means, seeds = TRUTH + 0.1 * rng.normal(size=5), [2, 3, 5, 3, 2]
    found = fit_saturation(KS, means, seeds, 0.04, 10)
    expected, _ = optimize.curve_fit(
        lambda k, a, b, c: a + b * k**-c, KS, means, p0=(90, 3, 0.5), sigma=1 / np.sqrt(seeds)
    )
    assert (found.limit, found.amplitude, found.exponent) == pytest.approx(tuple(expected), rel=5e-3)


def test_means_off_every_curve_do_not_fit():
    assert not fitted([93, 91, 92.5, 90, 92]).fits


def test_a_curve_never_rises():
    found = fitted([90, 90.1, 90.2, 90.3, 90.4])
    assert (found.amplitude, found.beyond) == (0.0, 0.0)


def test_a_line_in_log_k_has_no_upper_limit():
    assert fitted(93 - 0.4 * np.log(KS)).beyond_interval[1] is None


@pytest.mark.parametrize("ks", [KS[:3], KS[:1]])
def test_three_ks_do_not_say_whether_a_curve_fits(ks):
    assert fitted(TRUTH[: len(ks)], ks=ks) is None


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_what_is_left_beyond_the_largest_k_is_in_its_interval(seeds, exponent):
    rng, truth, sweeps = np.random.default_rng(seeds), 90 + 3 * KS**-exponent, 500
    covered = 0
    for _ in range(sweeps):
        values = truth[:, None] + 0.2 * rng.normal(size=(len(KS), seeds))
        spread = float(values.var(axis=1, ddof=1).mean())
        low, high = fitted(values.mean(axis=1), seeds=seeds, variance=spread).beyond_interval
        covered += low <= truth[-1] - 90 <= (math.inf if high is None else high)
    assert covered / sweeps == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / sweeps))
