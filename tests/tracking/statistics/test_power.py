"""Power against simulation of the test itself, and the studentized range against scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from tracking.statistics import studentized_range
from tracking.statistics.comparisons import compare
from tracking.statistics.power import (
    MOST_SEEDS,
    POWER,
    Arm,
    Design,
    Family,
    alike,
    power,
    smallest_difference,
)

SWEEPS = 1500
WITHIN = 0.03


def shown(spreads, seeds, lead):
    """How often the first of some configurations is separable from the second, by the test itself."""
    rng = np.random.default_rng(len(spreads) * 100 + seeds)
    values = np.asarray(spreads)[None, :, None] * rng.normal(size=(SWEEPS, len(spreads), seeds))
    values[:, 1] += lead
    return np.mean([compare(groups, [(0, 1)])[0].separable for groups in values.tolist()])


@pytest.mark.parametrize(("count", "seeds"), [(2, 3), (6, 2), (6, 3), (6, 5)])
def test_the_smallest_difference_is_shown_in_80_percent_of_sweeps(count, seeds):
    lead = smallest_difference(alike(count, seeds, 1.0))
    assert shown(np.ones(count), seeds, lead) == pytest.approx(POWER, abs=WITHIN)


def test_a_wide_configuration_has_the_power_of_its_own_spread():
    compared = Design(Arm(3, 10.0, pooled=False), Arm(3, 1.0, pooled=True), 6, 1.0, 4 * 2)
    lead = smallest_difference(compared)
    assert shown([10.0, 1, 1, 1, 1, 1], 3, lead) == pytest.approx(POWER, abs=WITHIN)


def test_power_at_no_difference_is_the_error_rate():
    assert power(alike(2, 50, 1.0), 0.0) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_the_smallest_difference_has_the_unit_of_the_values(unit):
    of_one = smallest_difference(alike(4, 3, 1.0))
    assert smallest_difference(alike(4, 3, unit)) == pytest.approx(unit * of_one, rel=1e-4)


def test_so_many_more_seeds_show_the_present_difference():
    rng = np.random.default_rng(1)
    groups = (rng.normal(size=(4, 3)) * 0.5 + np.array([[2.0], [1.0], [0.6], [0.0]])).tolist()
    family = Family(groups)
    more = family.more_seeds((2, 3))
    present = abs(np.mean(groups[2]) - np.mean(groups[3]))
    enough, too_few = (family.design((2, 3), count) for count in (more, more - 1))
    assert power(enough, present) >= POWER > power(too_few, present)
    assert (enough.first.seeds, enough.count, enough.degrees) == (3 + more, 4, 2 * (2 + more))


def test_equal_means_are_told_apart_by_no_number_of_seeds():
    groups = [[90.0, 91.0, 92.0], [90.0, 91.0, 92.0001], [95.0, 96.0, 97.0]]
    assert Family(groups).more_seeds((0, 1)) is None
    assert MOST_SEEDS > 100


def test_nothing_replicated_has_no_power():
    assert Family([[1.0], [2.0]]).design((0, 1)) is None
    assert Family([[1.0], [2.0]]).more_seeds((0, 1)) is None


def test_one_that_diverged_has_no_power():
    assert Family([[1.0, 1.1], [2.0, 2.2], [9.0, 800.0]], {2}).design((0, 2)) is None


@pytest.mark.parametrize(("count", "degrees"), [(2, 1), (3, 4), (8, 16), (54, 108)])
@pytest.mark.parametrize("alpha", [0.02, 0.005])
def test_quantiles_are_those_of_scipy(count, degrees, alpha):
    expected = stats.studentized_range.ppf(1 - alpha, count, degrees)
    assert studentized_range.quantile(count, degrees, alpha) == pytest.approx(expected, rel=1e-6)


def test_two_means_have_students_quantile():
    expected = math.sqrt(2) * stats.t.ppf(0.975, 7)
    assert studentized_range.quantile(2, 7, 0.05) == pytest.approx(expected, rel=1e-8)
