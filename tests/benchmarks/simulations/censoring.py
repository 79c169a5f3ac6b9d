"""Coverage of the median time to a target where training ends before some seeds reach it.

    python tests/benchmarks/simulations/censoring.py

Log-normal times with median 1, censored at random or all at the end of training; about a minute.
"""

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from tracking.statistics.survival import median_time

DRAWS, SPREAD = 2000, 0.3


def main() -> None:
    table = Table(box=None)
    for heading in ("seeds", "censored", "why", "median", "no median", "coverage", "no upper end"):
        table.add_column(heading, justify="right")
    rng = np.random.default_rng(0)
    for count in (8, 10, 20, 50):
        for share, why in ((0.0, "–"), (0.2, "at random"), (0.4, "at random"), (0.3, "at the end")):
            table.add_row(str(count), f"{share:.0%}", why, *simulated(rng, count, share, why))
    Console().print(table)


def simulated(rng: np.random.Generator, count: int, share: float, why: str) -> list[str]:
    medians, hits, unbounded = [], 0, 0
    for _ in range(DRAWS):
        times, ends = np.exp(SPREAD * rng.standard_normal(count)), censoring(rng, count, share, why)
        found = median_time(times[times <= ends], ends[times > ends])
        high = np.inf if found.high is None else found.high
        hits += (found.low or 0.0) <= 1.0 <= high
        unbounded += found.high is None
        medians.append(np.inf if found.median is None else found.median)
    none = float(np.mean(np.isinf(medians)))
    return [f"{np.median(medians):.3f}", f"{none:.1%}", f"{hits / DRAWS:.1%}", f"{unbounded / DRAWS:.0%}"]


def censoring(rng: np.random.Generator, count: int, share: float, why: str) -> np.ndarray:
    if share == 0:
        return np.full(count, np.inf)
    if why == "at the end":
        return np.full(count, np.exp(SPREAD * stats.norm.isf(share)))
    return np.exp(SPREAD * (rng.standard_normal(count) + np.sqrt(2) * stats.norm.isf(share)))


if __name__ == "__main__":
    main()
