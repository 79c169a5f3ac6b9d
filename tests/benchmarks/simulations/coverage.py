"""How often the report is wrong: `python tests/benchmarks/simulations/coverage.py [--sweeps 2000]`.

Every row is a claim of the report, made by its own code about simulated sweeps, at 2, 3 and 5 seeds: the
percentage of sweeps in which at least one statement of the family is false, with its standard error. It
should be 5 for the line of training time and at most 5 for all others, which hold whatever the spreads are
and are careful where spreads agree. *Power* is the difference, in standard deviations between seeds, that is
separable in half of the sweeps. A cell more than two standard errors off is marked, as one in twenty of the
exact ones is by chance; at three the exit code is 1.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from tracking.comparison import FALSE_ALARMS, JUDGED
from tracking.statistics.comparisons import Difference, compare
from tracking.statistics.fits.line import fit_line
from tracking.statistics.intervals import ratio_interval
from tracking.statistics.seed_noise import tolerance

SEEDS = (2, 3, 5)
NOMINAL = 5.0
MORE_FOR_EXACT = 10  # times the sweeps, where a rate is held to its value from both sides
KS = np.array([1, 5, 20, 50, 100, 500])
Groups = Sequence[Sequence[float]]
Found = dict[tuple[int, int], Difference]
Draw = Callable[[int, np.random.Generator], bool]  # seeds -> whether one statement of the sweep is wrong


class Claim(NamedTuple):
    what: str
    spread: str
    wrong: Draw
    exact: bool = False


SPREADS = {
    "equal": lambda count: np.ones(count),
    "one × 3": lambda count: np.r_[3.0, np.ones(count - 1)],
    "one × 10": lambda count: np.r_[10.0, np.ones(count - 1)],
    "one × 100": lambda count: np.r_[100.0, np.ones(count - 1)],
    "two × 10": lambda count: np.r_[10.0, 10.0, np.ones(count - 2)],
    "half × 10": lambda count: np.r_[np.full(count // 2, 10.0), np.ones(count - count // 2)],
    "1 to 10": lambda count: np.geomspace(1, 10, count),
}


def sweep(means: np.ndarray, spreads: np.ndarray, seeds: int, rng: np.random.Generator) -> list[list[float]]:
    return (means[:, None] + spreads[:, None] * rng.normal(size=(len(means), seeds))).tolist()


def with_best(
    groups: Sequence[Sequence[float]], apart: Sequence[int] = ()
) -> dict[tuple[int, int], Difference]:
    """Every other configuration against the best, as ``gains.against_best`` asks for it."""
    means = [math.inf if i in apart else sum(group) / len(group) for i, group in enumerate(groups)]
    best = min(range(len(groups)), key=means.__getitem__)
    pairs = [(best, other) for other in range(len(groups)) if other != best]
    return dict(zip(pairs, compare(groups, pairs, apart=apart), strict=True))


def in_steps(groups: Groups, looks: int = 1) -> Found:
    """Steps and the whole range, as ``gains.gains`` asks for them."""
    pairs = [*pairwise(range(len(groups))), (0, len(groups) - 1)]
    return dict(zip(pairs, compare(groups, pairs, looks=looks), strict=True))


def misses(found: Found, truth: np.ndarray) -> bool:
    """Whether an interval leaves out its true difference."""
    return any(
        not one.low <= truth[second] - truth[first] <= one.high
        for (first, second), one in found.items()
        if one.low is not None and one.high is not None
    )


def best_claim(count: int, spread: str, truth: float = 0.0) -> Draw:
    means, spreads = truth * np.arange(count), SPREADS[spread](count)
    return lambda seeds, rng: misses(with_best(sweep(means, spreads, seeds, rng)), means)


def steps_claim(spread: str, truth: np.ndarray, noise: float = 1.0) -> Draw:
    spreads = noise * SPREADS[spread](len(truth))
    return lambda seeds, rng: misses(in_steps(sweep(truth, spreads, seeds, rng)), truth)


def diverged(seeds: int, rng: np.random.Generator) -> bool:
    """Four healthy configurations beside one whose seeds lie between 100 and 10,000 nats."""
    means = np.array([0.0, 0.0, 0.0, 0.0])
    groups = [*sweep(means, np.ones(4), seeds, rng), list(np.exp(rng.uniform(4.6, 9.2, size=seeds)))]
    return misses(with_best(groups, apart=[4]), np.append(means, 0.0))


def unequal(spread: str) -> Draw:
    """Every second configuration has two seeds only, the widest one among them."""
    spreads = SPREADS[spread](12)

    def wrong(seeds: int, rng: np.random.Generator) -> bool:
        groups = sweep(np.zeros(12), spreads, seeds, rng)
        return misses(with_best([g if i % 2 else g[:2] for i, g in enumerate(groups)]), np.zeros(12))

    return wrong


def clock(noise: float, ks: np.ndarray) -> Draw:
    def wrong(seeds: int, rng: np.random.Generator) -> bool:
        means = ((10 + 0.5 * ks)[:, None] * np.exp(noise * rng.normal(size=(len(ks), seeds)))).mean(axis=1)
        fit = fit_line(ks, means)
        assert fit is not None
        low, high = fit.interval("slope") or (-math.inf, math.inf)
        return not low <= 0.5 * math.exp(noise**2 / 2) <= high

    return wrong


def seconds_claim(noise: float) -> Draw:
    truth = np.log([10.0, 10.0, 20.0, 30.0])
    return lambda seeds, rng: misses(in_steps(sweep(truth, np.full(4, noise), seeds, rng)), truth)


def rate(seeds: int, rng: np.random.Generator) -> bool:
    """1.5 nats for 20 more seconds: spreads of .2 and 1 nats, clocks with 8 %, as in ``gains.gains``."""
    nats = compare(sweep(np.array([0.0, -1.5]), np.array([0.2, 1.0]), seeds, rng), [(0, 1)])[0]
    logs = sweep(np.log([20.0, 40.0]), np.full(2, 0.08), seeds, rng)
    slower = compare(logs, [(0, 1)])[0]
    extra = float(np.exp(logs[1]).mean() - np.exp(logs[0]).mean())
    assert nats.half is not None
    assert slower.half is not None
    half = (
        extra * (1 - math.exp(-slower.half)) / (1 - math.exp(-slower.value)) if slower.value > 0 else math.inf
    )
    interval = ratio_interval(-nats.value, extra, nats.half, half)
    return interval is not None and not interval[0] <= 1.5 / 20 <= interval[1]


def looks(seeds: int, rng: np.random.Generator) -> bool:
    """One step in K, from ``seeds`` seeds to ten, looked at after each: whether it is ever separable."""
    groups = sweep(np.zeros(2), np.ones(2), 10, rng)
    return any(
        one.separable
        for look, count in enumerate(range(seeds, 11), start=1)
        for one in compare([group[:count] for group in groups], [(0, 1)], looks=look)
    )


def claims() -> Iterator[Claim]:
    for spread in SPREADS:
        yield Claim("12 equal configurations, one separable from the best", spread, best_claim(12, spread))
    for spread in SPREADS:
        yield Claim("12 different ones, intervals against the best", spread, best_claim(12, spread, 0.5))
    for spread in SPREADS:
        yield Claim("6 equal K's, one step separable", spread, steps_claim(spread, np.zeros(6)))
    for spread in SPREADS:
        yield Claim("6 different K's, intervals of the steps", spread, steps_claim(spread, 3.0 / KS**0.5))
    for spread in ("equal", "one × 10"):
        yield Claim("3 equal K's, one step separable", spread, steps_claim(spread, np.zeros(3)))
        yield Claim("2 equal K's, separable", spread, steps_claim(spread, np.zeros(2)))
    yield Claim("4 equal configurations and one that diverged", "equal", diverged)
    for spread in ("equal", "one × 10"):
        yield Claim("12 equal configurations, six with two seeds", spread, unequal(spread))
    yield Claim("slope of t = a + b K, 6 K's", "clocks 8 %", clock(0.08, KS), exact=True)
    yield Claim("slope of t = a + b K, 6 K's", "clocks 2 %", clock(0.02, KS), exact=True)
    yield Claim("slope of t = a + b K, 3 K's", "clocks 8 %", clock(0.08, KS[:3]), exact=True)
    yield Claim("ratios of seconds, 4 K's", "clocks 8 %", seconds_claim(0.08))
    yield Claim("nats per extra second", "1 × 5, 8 %", rate)
    yield Claim("2 equal K's, looked at until 10 seeds", "equal", looks)
    yield Claim("a right reproduction diverged, 2 NLLs", "unlike", reproduction(alike=False))
    yield Claim("a right reproduction diverged, 2 NLLs", "alike", reproduction(alike=True))


def reproduction(*, alike: bool) -> Draw:
    """A second training as far from the first as another seed; test NLLs of their own, or validation's."""
    confidence = 1 - FALSE_ALARMS / len(JUDGED)

    def draw(seeds: int, rng: np.random.Generator) -> bool:
        metrics = rng.normal(size=(1 if alike else len(JUDGED), seeds + 1))
        return any(
            abs(new - old) > (tolerance(old, new, others, confidence) or 0) for old, new, *others in metrics
        )

    return draw


def power(seeds: int, count: int, sweeps: int, rng: np.random.Generator) -> float:
    """The lead over ``count`` − 1 equal ones, in standard deviations, that half of all sweeps separate."""
    half = []
    for _ in range(sweeps):
        groups = sweep(np.zeros(count), np.ones(count), seeds, rng)
        (found,) = compare(groups, [(0, 1)])
        assert found.half is not None
        half.append(found.half - found.value)
    return float(np.median(half))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=2000)
    sweeps = parser.parse_args().sweeps
    table = Table("claim", "spread", *(f"{seeds} seeds" for seeds in SEEDS), "should be")
    over = 0
    for number, claim in enumerate(claims()):
        cells = []
        for seeds in SEEDS:
            rng = np.random.default_rng((number, seeds))
            drawn = sweeps * (MORE_FOR_EXACT if claim.exact else 1)
            share = 100 * sum(claim.wrong(seeds, rng) for _ in range(drawn)) / drawn
            error = math.sqrt(NOMINAL * (100 - NOMINAL) / drawn)
            bad = share > NOMINAL + 2 * error or (claim.exact and share < NOMINAL - 2 * error)
            over += abs(share - NOMINAL) > 3 * error if claim.exact else share > NOMINAL + 3 * error
            shown = 100 * math.sqrt(max(share, 100 / drawn) * (100 - share) / 1e4 / drawn)
            cells.append(f"{share:.1f} ± {shown:.1f}{' !' * bad}")
        table.add_row(claim.what, claim.spread, *cells, "5" if claim.exact else "at most 5")
    for count in (2, 12):
        found = [power(seeds, count, sweeps, np.random.default_rng((99, seeds))) for seeds in SEEDS]
        what = "power: standard deviations, 2 configurations" if count == 2 else "power: the same among 12"
        table.add_row(what, "equal", *(f"{one:.1f}" for one in found), "")
    Console(width=120).print(table)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
