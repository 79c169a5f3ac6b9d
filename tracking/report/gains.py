"""What a step up in K buys: nats, and nats for each extra second of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from tracking.report.statistics import (
    CONFIDENCE,
    Difference,
    differences,
    pooled_variance,
    ratio_interval,
    t_quantile,
)
from tracking.report.strata import Stratum
from tracking.report.tables import Configuration, Table


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
        seconds: training seconds of the second minus the first.
        rate: nats of validation NLL gained for each extra second; None unless training took longer.
        rate_interval: Fieller's, at the level to which Holm's correction holds ``validation``; None where
            nothing was replicated, or the extra seconds cannot be told from zero.
    """

    stratum: str
    first: Configuration
    second: Configuration
    whole: bool
    validation: Difference
    test: Difference | None
    seconds: Difference | None
    rate: float | None
    rate_interval: tuple[float, float] | None

    @property
    def rated(self) -> bool:
        """Whether the rate says anything: with replicates, only if the extra seconds differ from zero."""
        return self.rate is not None and (self.rate_interval is not None or self.validation.p is None)


def gains(table: Table, groups: Sequence[Stratum]) -> tuple[Gain, ...]:
    """Successive K's of every stratum, and its smallest against its largest, corrected as one family."""
    pairs: list[tuple[str, Configuration, Configuration, bool]] = []
    for stratum in groups:
        rows = stratum.configurations
        pairs += [(stratum.label, a, b, False) for a, b in pairwise(rows)]
        if len(rows) > 2:
            pairs.append((stratum.label, rows[0], rows[-1], True))
    validation = _column(table, pairs, "val_nll_final")
    test, seconds = _column(table, pairs, "test_nll"), _column(table, pairs, "train_seconds")
    spread = _joint_spread(table)
    found = []
    for (label, first, second, whole), nats, on_test, extra in zip(
        pairs, validation, test, seconds, strict=True
    ):
        assert nats is not None  # every configuration of a table has it
        rate = -nats.value / extra.value if extra is not None and extra.value > 0 else None
        interval = None
        if rate is not None and extra is not None and spread is not None:
            interval = _rate_interval(spread, first, second, nats, extra)
        found.append(Gain(label, first, second, whole, nats, on_test, extra, rate, interval))
    return tuple(found)


def against_best(table: Table, best: Configuration) -> tuple[tuple[Configuration, Difference], ...]:
    """Every other configuration against the best one, by final validation NLL, ascending."""
    others = [row for row in table.configurations if row is not best]
    pooled = pooled_variance(row.values("val_nll_final") for row in table.configurations)
    found = differences(
        [(best.values("val_nll_final"), row.values("val_nll_final")) for row in others], pooled
    )
    return tuple(sorted(zip(others, found, strict=True), key=lambda pair: pair[1].value))


def _column(
    table: Table, pairs: Sequence[tuple[str, Configuration, Configuration, bool]], column: str
) -> list[Difference | None]:
    values = [(first.values(column), second.values(column)) for _, first, second, _ in pairs]
    present = [index for index, (first, second) in enumerate(values) if first and second]
    pooled = pooled_variance(row.values(column) for row in table.configurations)
    found: list[Difference | None] = [None] * len(pairs)
    for index, difference in zip(
        present, differences([values[index] for index in present], pooled), strict=True
    ):
        found[index] = difference
    return found


@dataclass(frozen=True)
class _Spread:
    """Variances and covariance of (NLL, seconds) between seeds, pooled over configurations."""

    nats: float
    both: float
    seconds: float
    degrees: int


def _joint_spread(table: Table) -> _Spread | None:
    paired = [
        list(zip(row.values("val_nll_final"), row.values("train_seconds"), strict=True))
        for row in table.configurations
        if len(row.values("val_nll_final")) == len(row.values("train_seconds"))
    ]
    degrees = sum(len(pairs) - 1 for pairs in paired)
    if degrees == 0:
        return None
    nats = both = seconds = 0.0
    for pairs in paired:
        mean_nats, mean_seconds = fmean(n for n, _ in pairs), fmean(s for _, s in pairs)
        nats += sum((n - mean_nats) ** 2 for n, _ in pairs) / degrees
        both += sum((n - mean_nats) * (s - mean_seconds) for n, s in pairs) / degrees
        seconds += sum((s - mean_seconds) ** 2 for _, s in pairs) / degrees
    return _Spread(nats, both, seconds, degrees)


def _rate_interval(
    spread: _Spread, first: Configuration, second: Configuration, nats: Difference, extra: Difference
) -> tuple[float, float] | None:
    """Fieller's interval."""
    share = 1 / len(first.trials) + 1 / len(second.trials)
    quantile = t_quantile(spread.degrees, nats.holm_confidence or CONFIDENCE)
    return ratio_interval(
        -nats.value, extra.value,
        spread.nats * share, spread.seconds * share, -spread.both * share, quantile,
    )  # fmt: skip
