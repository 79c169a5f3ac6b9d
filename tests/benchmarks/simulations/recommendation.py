"""How often the recommended K is a wrong one, and whether seeds show what the report says they show.

    python tests/benchmarks/simulations/recommendation.py [--sweeps 1000]

For sweeps over four K's whose true NLLs are known, by the report's own code:

- *said*: percentage of sweeps in which a K is recommended.
- *bound*: percentage of sweeps in which that K truly gives up more than the stated *at most*; at most 5.
- *half*: percentage of sweeps in which it truly keeps less than half of the gain; at most 5 where K matters.

*Power* is the percentage of sweeps that show the difference which these seeds are said to show in 80 %, and
the same after as many more seeds as are said to show the present one; 80 ± 3.
"""

import argparse
import math
import sys
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from iwae.config.train import TrainConfig
from tracking.analysis.configurations import Table as Measured
from tracking.analysis.configurations import tables
from tracking.analysis.recommendation import Recommendation, recommend
from tracking.analysis.strata import strata
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState
from tracking.statistics.comparisons import compare
from tracking.statistics.power import Family, alike, power, smallest_difference

KS, SEEDS, NOMINAL = (1, 5, 20, 50), (2, 3, 5, 10), 5.0
CURVES = {
    "saturating, .2 nats": (np.array([92.0, 91.0, 90.3, 90.0]), np.full(4, 0.2)),
    "the same, K = 1 × 10": (np.array([92.0, 91.0, 90.3, 90.0]), np.array([2.0, 0.2, 0.2, 0.2])),
    "the same, .2 to 2": (np.array([92.0, 91.0, 90.3, 90.0]), np.geomspace(0.2, 2, 4)),
    "flat from K = 5": (np.array([92.0, 90.0, 90.0, 90.0]), np.full(4, 0.2)),
    "K does not matter": (np.full(4, 90.0), np.full(4, 0.2)),
    "K = 1 is the best": (np.array([90.0, 90.1, 90.2, 91.0]), np.full(4, 0.2)),
    "only K = 50 is better": (np.array([91.0, 91.0, 91.0, 90.0]), np.full(4, 0.2)),
}


def measured(seeds: int) -> Measured:
    """A table of four K's; ``again`` gives it values."""
    trials = [
        TrialRecord(
            PlannedTrial(
                index,
                {"objective.num_samples": k},
                TrainConfig.parse({"objective": {"num_samples": k}, "seed": seed}),
            ),
            TrialState.COMPLETE,
            final={"val/nll_final": 0.0},
        )
        for index, (k, seed) in enumerate((k, seed) for k in KS for seed in range(seeds))
    ]
    (table,) = tables(SweepRecord("simulated", "/storage", {}, {}, (), tuple(trials)))
    return table


def again(table: Measured, nlls: np.ndarray) -> Recommendation:
    """The recommendation for other NLLs, ``[K, seeds]``."""
    rows = tuple(
        replace(
            row,
            trials=tuple(
                replace(trial, final={"val/nll_final": float(nll)})
                for trial, nll in zip(row.trials, values, strict=True)
            ),
        )
        for row, values in zip(table.configurations, nlls, strict=True)
    )
    fresh = replace(table, configurations=rows)
    found = recommend(fresh, strata(fresh)[0])
    assert found is not None
    return found


def judge(table: Measured, truth: np.ndarray, spreads: np.ndarray, sweeps: int, seeds: int) -> list[float]:
    """Percentages of sweeps: said, bound broken, less than half kept."""
    rng, counts = np.random.default_rng((seeds, int(truth.sum() * 10))), np.zeros(3)
    lowest, gain = truth.min(), truth[0] - truth.min()
    for _ in range(sweeps):
        found = again(table, truth[:, None] + spreads[:, None] * rng.normal(size=(len(KS), seeds)))
        if found.chosen is None or found.judged is None:
            continue
        given_up = truth[KS.index(found.chosen.num_samples)] - lowest
        counts += 1, given_up > found.judged.at_most, given_up > gain / 2
    return list(100 * counts / sweeps)


def shown(count: int, seeds: int, lead: float, sweeps: int) -> float:
    """Percentage of sweeps in which a true lead is separable."""
    values = np.random.default_rng((count, seeds)).normal(size=(sweeps, count, seeds))
    values[:, 1] += lead
    return 100 * float(np.mean([compare(groups, [(0, 1)])[0].separable for groups in values.tolist()]))


def after_more(count: int, seeds: int, sweeps: int) -> tuple[int, float, float]:
    """Of 1.2 standard deviations: more seeds, the power said, the percentage that then shows it."""
    rng = np.random.default_rng((7, count, seeds))
    pattern = rng.normal(size=seeds)
    pattern = (pattern - pattern.mean()) / pattern.std(ddof=1)  # a spread of exactly 1
    groups = [list(pattern + (1.2 if index == 1 else 0.0)) for index in range(count)]
    more = Family(groups).more_seeds((0, 1))
    assert more is not None
    said = Family(groups).design((0, 1), more)
    assert said is not None
    values = np.random.default_rng((8, count, seeds)).normal(size=(sweeps, count, seeds + more))
    values[:, 1] += 1.2
    hits = [compare(drawn, [(0, 1)], looks=2)[0].separable for drawn in values.tolist()]
    return more, 100 * power(said, 1.2), 100 * float(np.mean(hits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000)
    sweeps = parser.parse_args().sweeps
    limit = NOMINAL + 300 * math.sqrt(NOMINAL / 100 * (1 - NOMINAL / 100) / sweeps)
    console, bad = Console(width=120), 0
    table = Table("true NLLs and spreads", *(f"{n} seeds: said, bound, half" for n in SEEDS))
    planned = {seeds: measured(seeds) for seeds in SEEDS}
    for name, (truth, spreads) in CURVES.items():
        cells = []
        for seeds in SEEDS:
            said, bound, half = judge(planned[seeds], truth, spreads, sweeps, seeds)
            matters = truth[0] > truth.min()
            bad += bound > limit or (matters and half > limit)
            cells.append(f"{said:.0f}, {bound:.1f}, {f'{half:.1f}' if matters else '–'}")
        table.add_row(name, *cells)
    console.print(table)
    table = Table("power", *(f"{n} seeds" for n in SEEDS))
    for count in (2, 6, 12):
        cells = []
        for seeds in SEEDS:
            lead = smallest_difference(alike(count, seeds, 1.0))
            found = shown(count, seeds, lead, 4 * sweeps)
            bad += abs(found - 80) > 3
            cells.append(f"{lead:.2f} sd: {found:.1f} %")
        table.add_row(f"smallest difference among {count}", *cells)
    for count in (2, 6, 12):
        cells = []
        for seeds in SEEDS[:3]:
            more, said, found = after_more(count, seeds, 4 * sweeps)
            bad += abs(found - said) > 3
            cells.append(f"{more} more: {said:.1f} said, {found:.1f} %")
        table.add_row(f"more seeds for 1.2 sd among {count}", *cells)
    console.print(table)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
