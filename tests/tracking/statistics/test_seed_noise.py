"""A right second training may be called wrong in 5 % of cases: at worst it is as far off as another seed."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from tracking.comparison import FALSE_ALARMS, JUDGED
from tracking.statistics.seed_noise import quantile, tolerance

CONFIDENCE = 1 - FALSE_ALARMS / len(JUDGED)
SWEEPS = 4000
MOST = FALSE_ALARMS + 2 * math.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / SWEEPS)


@pytest.mark.parametrize("alike", [False, True], ids=["unlike metrics", "one metric twice"])
@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
def test_a_right_training_is_seldom_called_wrong(seeds: int, alike: bool) -> None:
    rng = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(SWEEPS):
        val = rng.normal(90, 0.3, seeds + 1)
        test = val if alike else rng.normal(90, 0.3, seeds + 1)
        wrong += any(
            abs(new - old) > (tolerance(old, new, others, CONFIDENCE) or 0)
            for old, new, *others in (val, test)
        )
    assert FALSE_ALARMS / 4 < wrong / SWEEPS <= MOST


@pytest.mark.parametrize("confidence", [0.95, 0.975])
def test_quantile_of_two_seeds_is_that_of_an_angle(confidence: float) -> None:
    # Three normal values differ by cosines of one uniform angle: the share of the circle beyond the quantile.
    angle = np.linspace(0, 2 * np.pi, 2_000_001)
    between = [np.abs(np.cos(angle + turn)) for turn in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    ratio = between[2] / np.maximum(np.minimum(between[0], between[1]), 1e-12)
    exact = optimize.brentq(lambda q: np.mean(ratio > q) - (1 - confidence), 2, 200)
    assert quantile(2, confidence) == pytest.approx(exact, rel=0.02)


def test_with_many_seeds_the_quantile_is_students() -> None:
    assert quantile(9, 0.975) == pytest.approx(stats.t(8).ppf(0.9875), rel=0.05)
    assert quantile(10, 0.975) == pytest.approx(stats.t(9).ppf(0.9875), rel=1e-9)


def test_neither_value_widens_its_own_tolerance() -> None:
    near = tolerance(90.0, 90.1, [90.2, 89.9], CONFIDENCE)
    assert near is not None
    for old, new in ((190.0, 90.1), (90.0, 190.1)):
        allowed = tolerance(old, new, [90.2, 89.9], CONFIDENCE)
        assert allowed is not None
        assert allowed < 2 * near < abs(new - old)


def test_one_seed_has_no_spread() -> None:
    assert tolerance(90.0, 90.1, [], CONFIDENCE) is None
