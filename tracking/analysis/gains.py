"""What a step up in K buys: nats, nats for each extra second of training, and where that levels off."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from statistics import fmean

from tracking.analysis.configurations import Configuration, Table
from tracking.analysis.differences import differences, ratios_of_seconds
from tracking.analysis.strata import Stratum
from tracking.analysis.trials.columns import SCORE, SECONDS, TEST_SCORE
from tracking.statistics.comparisons import Difference
from tracking.statistics.fits.saturation import Saturation, fit_saturation
from tracking.statistics.intervals import ratio_interval


@dataclass(frozen=True)
class Gain:
    """Two configurations that differ in K alone.

    Attributes:
        stratum: label of what they have in common.
        first: the one with the smaller K.
        second: the one with the larger K.
        whole: from the stratum's smallest to its largest K, not one step.
        validation: final validation NLL of the second minus the first, nats; negative is better.
        test: the same on test data; None where it was not measured.
        seconds: mean training seconds of the second minus those of the first.
        slower: logarithm of the ratio of their training seconds, second to first: clocks err in proportion.
        rate: nats of validation NLL gained for each extra second; None unless training took longer.
        rate_interval: Fieller's, from the intervals of ``validation`` and ``slower``; None where there are
            none, or the extra seconds are not separable from zero.
    """

    stratum: str
    first: Configuration
    second: Configuration
    whole: bool
    validation: Difference
    test: Difference | None
    seconds: float | None
    slower: Difference | None
    rate: float | None
    rate_interval: tuple[float, float] | None

    @property
    def diverged(self) -> bool:
        """Whether one of the two diverged, so that their difference says nothing about K."""
        return bool(self.first.diverged or self.second.diverged)

    @property
    def rated(self) -> bool:
        """Whether the rate says anything: with replicates, only if the extra seconds differ from zero."""
        if self.rate is None or self.diverged:
            return False
        return self.rate_interval is not None or self.validation.low is None


def gains(table: Table, groups: Sequence[Stratum]) -> tuple[Gain, ...]:
    """Successive K's of every stratum, and its smallest against its largest."""
    steps: list[tuple[str, Configuration, Configuration, bool]] = []
    for stratum in groups:
        rows = stratum.configurations
        steps += [(stratum.label, a, b, False) for a, b in pairwise(rows)]
        if len(rows) > 2:
            steps.append((stratum.label, rows[0], rows[-1], True))
    pairs = [(first, second) for _, first, second, _ in steps]
    validation, test = differences(table, pairs), differences(table, pairs, TEST_SCORE)
    slower = ratios_of_seconds(table, pairs)
    found = []
    for (label, first, second, whole), nats, on_test, ratio in zip(
        steps, validation, test, slower, strict=True
    ):
        assert nats is not None  # every configuration of a table has it
        before, after = first.mean(SECONDS), second.mean(SECONDS)
        extra = None if before is None or after is None else after - before
        rate = -nats.value / extra if extra is not None and extra > 0 else None
        interval = None if rate is None or extra is None else _rate_interval(nats, extra, ratio)
        found.append(Gain(label, first, second, whole, nats, on_test, extra, ratio, rate, interval))
    return tuple(found)


def saturation(table: Table, stratum: Stratum) -> Saturation | None:
    """The NLL of a stratum's K's as a curve that levels off; None with fewer than four, or one seed each."""
    rows = [row for row in stratum.configurations if not row.diverged]
    values = [row.values(SCORE) for row in rows]
    spread = table.family.spread
    if spread is None:
        return None
    return fit_saturation(
        [row.num_samples for row in rows],
        [fmean(seeds) for seeds in values],
        [len(seeds) for seeds in values],
        spread.variance,
        spread.degrees,
    )


def against_best(table: Table, best: Configuration) -> tuple[tuple[Configuration, Difference], ...]:
    """Every other configuration against the best one, by final validation NLL, ascending."""
    others = [row for row in table.configurations if row is not best]
    found = differences(table, [(best, row) for row in others])
    pairs = [(row, one) for row, one in zip(others, found, strict=True) if one is not None]
    return tuple(sorted(pairs, key=lambda pair: pair[1].value))


def _rate_interval(nats: Difference, extra: float, slower: Difference | None) -> tuple[float, float] | None:
    """Fieller's interval; the one of the extra seconds holds zero where that of their ratio holds one."""
    if nats.half is None or slower is None or slower.half is None or slower.value <= 0:
        return None
    half = (1 - exp(-slower.half)) / (1 - exp(-slower.value)) * extra
    return ratio_interval(-nats.value, extra, nats.half, half)
