"""Short for benchmarks/simulations/coverage.py: a statement may be wrong in 5 % of sweeps, not in more."""

import math

import numpy as np
import pytest

from tracking.statistics.comparisons import compare

SWEEPS = 400
MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / SWEEPS)  # three standard errors: it is asked 15 times
SPREADS = {"equal": 1.0, "one ten times": 10.0, "one hundred times": 100.0}


def sweeps(means, first_spread, seeds):
    spreads = np.ones(len(means))
    spreads[0] = first_spread
    rng = np.random.default_rng(len(means) + seeds)
    noise = rng.normal(size=(SWEEPS, len(means), seeds))
    return (np.asarray(means)[None, :, None] + spreads[None, :, None] * noise).tolist()


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_configurations_are_seldom_separable_from_the_best(seeds, spread):
    wrong = 0
    for groups in sweeps([90.0] * 8, spread, seeds):
        best = min(range(8), key=lambda index: sum(groups[index]))
        pairs = [(best, other) for other in range(8) if other != best]
        wrong += any(one.separable for one in compare(groups, pairs))
    assert wrong / SWEEPS <= MOST


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_of_steps_hold_together(seeds, spread):
    means, pairs = [93.0, 92.0, 91.5, 91.3], [(0, 1), (1, 2), (2, 3), (0, 3)]
    wrong = 0
    for groups in sweeps(means, spread, seeds):
        found = compare(groups, pairs)
        truth = [means[second] - means[first] for first, second in pairs]
        wrong += any(not one.low <= true <= one.high for one, true in zip(found, truth, strict=True))
    assert wrong / SWEEPS <= MOST


@pytest.mark.parametrize(("seeds", "deviations"), [(2, 30.0), (3, 6.0), (5, 3.5)])
def test_a_lead_that_seeds_show_is_called_separable(seeds, deviations):
    found = 0
    for groups in sweeps([0.0] + [deviations] * 7, 1.0, seeds):
        pairs = [(0, other) for other in range(1, 8)]
        found += compare(groups, pairs)[0].separable
    assert found / SWEEPS > 0.7
