"""How often `sweeps compare` sees a difference that is not there.

    python tests/benchmarks/simulations/two_sweeps.py [--pairs 200]

Every cell is the percentage of pairs of sweeps without a difference (A/A) in which at least one of eight
configurations is called separable in validation NLL, by the code of the command; it should be at most 5. The
last row is the difference, in standard deviations between seeds, that is found in half of the pairs.
"""

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from iwae.config.train import TrainConfig
from tracking.analysis.two_sweeps.comparison import TwoSweeps, compare_sweeps
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState

KS = (1, 2, 3, 5, 10, 20, 50, 100)
SEEDS = (2, 3, 5)
# Standard deviations between seeds of each configuration, in the first and in the second sweep.
SPREADS = {
    "equal": (np.ones(8), np.ones(8)),
    "one × 10": (np.r_[10.0, np.ones(7)], np.r_[10.0, np.ones(7)]),
    "half × 10": (np.r_[np.full(4, 10.0), np.ones(4)],) * 2,
    "1 to 10": (np.geomspace(1, 10, 8),) * 2,
    "B × 5": (np.ones(8), np.full(8, 5.0)),
    "1 to 10, B × 5": (np.geomspace(1, 10, 8), 5 * np.geomspace(1, 10, 8)),
}


def plan(seeds: int) -> list[PlannedTrial]:
    """A grid of eight K's."""
    points = [(k, seed) for k in KS for seed in range(seeds)]
    return [
        PlannedTrial(
            index,
            {"objective.num_samples": k},
            TrainConfig.parse({"objective": {"num_samples": k}, "seed": seed}),
        )
        for index, (k, seed) in enumerate(points)
    ]


def sweep(
    name: str,
    planned: Sequence[PlannedTrial],
    spreads: np.ndarray,
    rng: np.random.Generator,
    shift: float = 0.0,
) -> SweepRecord:
    """A sweep whose seeds have a normal validation NLL around the same mean."""
    noise = rng.normal(size=len(planned)) * np.repeat(spreads, len(planned) // len(KS)) + shift
    trials = tuple(
        TrialRecord(one, TrialState.COMPLETE, final={"val/nll_final": 90.0 + float(value)})
        for one, value in zip(planned, noise, strict=True)
    )
    return SweepRecord(name, "/storage", {}, {}, (), trials)


def wrong(found: TwoSweeps) -> bool:
    """Whether any configuration is said to differ."""
    return any(row.validation.separable for row in found.rows)


def false_separations(pairs: int, spread: str, seeds: int) -> int:
    """Of so many A/A pairs, those with a difference that is not there."""
    rng, planned, (a, b) = np.random.default_rng((seeds, pairs)), plan(seeds), SPREADS[spread]
    return sum(
        wrong(compare_sweeps(sweep("a", planned, a, rng), sweep("b", planned, b, rng))) for _ in range(pairs)
    )


def power(pairs: int, seeds: int) -> float:
    """The difference of one configuration, in standard deviations, that half of the pairs separate."""
    rng, planned, found = np.random.default_rng(seeds), plan(seeds), []
    for _ in range(pairs):
        a, b = (sweep(name, planned, np.ones(8), rng) for name in "ab")
        row = compare_sweeps(a, b).rows[0]
        assert row.validation.half is not None
        found.append(row.validation.half - row.validation.value)
    return float(np.median(found))


def main() -> None:
    """Print the table; the exit code is 1 where a rate is three standard errors above 5 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    pairs = parser.parse_args().pairs
    table, most = Table("spread of the seeds", *(f"{seeds} seeds" for seeds in SEEDS)), 0.0
    for spread in SPREADS:
        shares = [false_separations(pairs, spread, seeds) / pairs for seeds in SEEDS]
        most = max(most, *shares)
        table.add_row(spread, *(f"{share:.1%}" for share in shares))
    table.add_row("power: standard deviations", *(f"{power(pairs, seeds):.1f}" for seeds in SEEDS))
    Console(width=100).print(table)
    sys.exit(most > 0.05 + 3 * math.sqrt(0.05 * 0.95 / pairs))


if __name__ == "__main__":
    main()
