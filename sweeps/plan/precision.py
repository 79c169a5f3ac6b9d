"""Before a sweep: which differences its seeds will be able to show, from the spread of an earlier sweep."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iwae.errors import SweepError
from tracking.analysis.configurations import tables
from tracking.analysis.trials.columns import SCORE
from tracking.files.files import Files
from tracking.records.comparable.yardstick import Yardstick
from tracking.records.records import PlannedTrial
from tracking.statistics.comparisons import common_spread
from tracking.statistics.power import alike, smallest_difference
from tracking.storage.sweep import SweepStorage, sweeps_in

FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Precision:
    """What a planned sweep can show.

    Attributes:
        earlier: the sweep whose spread between seeds is taken to be that of the planned one.
        deviation: that spread, nats.
        smallest: by number of seeds the smallest difference that is separable in 80 % of sweeps, nats;
            the planned number first where it is two or more, then one that is twice as large.
    """

    earlier: str
    deviation: float
    smallest: dict[int, float]


def precision(files: Files, trials: Sequence[PlannedTrial]) -> Precision | None:
    """What a plan can show; None where no sweep in storage was measured alike with two seeds.

    The newest such sweep counts: same data, split, binarization, likelihood and final evaluation. What the
    images are is read when a sweep starts, so a file that was exchanged since is not noticed here.
    """
    wanted = Counter(_yardstick(trial) for trial in trials)
    if not wanted:
        return None
    ((yardstick, _),) = wanted.most_common(1)
    found = _spread(files, yardstick)
    if found is None:
        return None
    earlier, deviation = found
    planned = Counter(trial.configuration_key for trial in trials if _yardstick(trial) == yardstick)
    if len(planned) < 2:
        return None
    seeds = min(planned.values())
    numbers = [seeds, 2 * seeds] if seeds >= FEWEST_SEEDS else [3, 6]
    return Precision(
        earlier, deviation, {n: smallest_difference(alike(len(planned), n, deviation)) for n in numbers}
    )


def _yardstick(trial: PlannedTrial) -> Yardstick:
    return Yardstick.of(trial.config)


def _spread(files: Files, yardstick: Yardstick) -> tuple[str, float] | None:
    """The newest sweep with the yardstick, and its standard deviation between seeds."""
    storages = [SweepStorage(files, name) for name in sweeps_in(files)]
    for storage in sorted(storages, key=lambda one: one.created or 0.0, reverse=True):
        try:
            record = storage.record()
        except SweepError:
            continue  # `sweeps list` says what is wrong with it
        for table in tables(record):
            if replace(table.yardstick, content="") != yardstick:
                continue
            spread = common_spread([row.values(SCORE) for row in table.steady])
            if spread is not None and spread.variance > 0:
                return record.name, spread.variance**0.5
    return None
