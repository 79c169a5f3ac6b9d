"""Two sweeps compared: differences of every configuration that both have, as one family."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracking.analysis.configurations import Configuration
from tracking.analysis.differences import probed_ratio
from tracking.analysis.strata import describe, telling
from tracking.analysis.trials.columns import SCORE
from tracking.analysis.two_sweeps.joining import Joined, join
from tracking.records.comparable.score import Score
from tracking.records.records import SweepRecord
from tracking.statistics.comparisons import Difference
from tracking.statistics.step_down import step_down


@dataclass(frozen=True)
class Row:
    """A configuration that both sweeps have.

    Attributes:
        name: what tells it from the others, in words.
        first: in the first sweep, with its seeds.
        second: in the second.
        validation: final validation NLL of the second minus that of the first, nats: negative is better.
        slower: logarithm of the ratio of training seconds, second to first; None where one has none. Of the
            trials alone where both sweeps have these, on the same kind of machine; else as measured.
    """

    name: str
    first: Configuration
    second: Configuration
    validation: Difference
    slower: Difference | None

    @property
    def diverged(self) -> str:
        """Why one of the two counts as diverged; empty if neither does."""
        return self.first.diverged or self.second.diverged


@dataclass(frozen=True)
class TwoSweeps:
    """Two sweeps, joined by configuration.

    Attributes:
        names: of the first and the second sweep.
        storages: that hold them.
        joined: which configurations belong together, and what else differs.
        rows: one a configuration that both have, in the first plan's order.
        copies: trials that are the same to the bit in both: they show no difference and no noise.
    """

    names: tuple[str, str]
    storages: tuple[str, str]
    joined: Joined
    rows: tuple[Row, ...]
    copies: int

    @property
    def score(self) -> Score:
        """What ranks in both."""
        return self.joined.first.score

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data; NLLs in nats, times in seconds."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "yardstick": self.joined.first.yardstick.description,
            "differs": [
                {"what": what, "first": old, "second": new} for what, old, new in self.joined.differs
            ],
            "configurations": [_row_dict(row, self.score) for row in self.rows],
            "only_first": [row.name for row in self.joined.only_first],
            "only_second": [row.name for row in self.joined.only_second],
            "identical_trials": self.copies,
        }


def compare_sweeps(first: SweepRecord, second: SweepRecord) -> TwoSweeps:
    """The second sweep against the first, by configuration.

    Seeds are replicates of a configuration and are not paired between the sweeps. The validation NLLs are one
    family of statements, the training seconds another.

    Raises:
        RecordError: their yardsticks differ, or they have no configuration in common.
    """
    joined = join(first, second)
    pairs = joined.pairs
    told = telling(joined.paths, [_key(row, joined.paths) for row, _ in pairs])
    nats = _family(joined, SCORE, logarithmic=False)
    slower = _slower(joined)
    rows = []
    for (one, other), difference, ratio in zip(pairs, nats, slower, strict=True):
        assert difference is not None  # a row of a table has a final NLL
        name = describe({**one.parameters, **other.parameters}, told) or one.name
        rows.append(Row(name, one, other, difference, ratio))
    names, storages = (first.name, second.name), (first.storage, second.storage)
    return TwoSweeps(names, storages, joined, tuple(rows), _copies(pairs))


def _key(row: Configuration, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row.parameters.get(path)) for path in paths)


def _family(joined: Joined, column: str, *, logarithmic: bool) -> list[Difference | None]:
    """The differences of one column over all pairs; None where one of a pair has no value in it."""
    groups: list[tuple[float, ...]] = []
    pairs: list[tuple[int, int]] = []
    apart: list[int] = []
    places: list[int | None] = []
    for both in joined.pairs:
        values = [row.values(column) for row in both]
        if logarithmic:
            values = [tuple(math.log(value) for value in one if value > 0) for one in values]
        if not all(values):
            places.append(None)
            continue
        places.append(len(pairs))
        pairs.append((len(groups), len(groups) + 1))
        apart += [len(groups) + i for i, row in enumerate(both) if row.diverged]
        groups += values
    looks = max(joined.first.looks, joined.second.looks)
    found = step_down(groups, pairs, apart=apart, looks=looks)
    return [None if place is None else found[place] for place in places]


def _slower(joined: Joined) -> list[Difference | None]:
    if joined.first.timed_on is None or joined.first.timed_on != joined.second.timed_on:
        return _family(joined, "train_seconds", logarithmic=True)
    return [probed_ratio(*pair, len(joined.pairs)) for pair in joined.pairs]


def _copies(pairs: Sequence[tuple[Configuration, Configuration]]) -> int:
    """Trials with the same key whose final numbers are the same: one training, seen twice."""
    count = 0
    for one, other in pairs:
        there = {trial.key: trial.final for trial in other.trials}
        count += sum(trial.final == there.get(trial.key) for trial in one.trials)
    return count


def _row_dict(row: Row, score: Score) -> dict[str, Any]:
    return {
        "name": row.name,
        "parameters": {**row.first.parameters, **row.second.parameters},
        "first": _side_dict(row.first, score),
        "second": _side_dict(row.second, score),
        score.column: _difference_dict(row.validation),
        "log_train_seconds": None if row.slower is None else _difference_dict(row.slower),
        "diverged": row.diverged or None,
    }


def _side_dict(row: Configuration, score: Score) -> dict[str, Any]:
    return {
        "seeds": len(row.trials),
        score.column: row.mean(SCORE),
        "train_seconds": row.mean("train_seconds"),
        "train_seconds_exclusive": row.mean("train_seconds_exclusive"),
    }


def _difference_dict(difference: Difference) -> dict[str, Any]:
    return {
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "separable": difference.separable,
    }
