"""Which trials share a table, and the table: one row per configuration, its seeds as replicates."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from iwae.config.train import flatten
from tracking.analysis.trials.columns import COLUMNS, RANKS, SCORE, SECONDS
from tracking.analysis.trials.divergence import divergence
from tracking.records.comparable.score import Score
from tracking.records.comparable.yardstick import Yardstick
from tracking.records.contents import measured_on
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import ShapeProbe
from tracking.statistics.intervals import Estimate, positive_interval, t_interval
from tracking.statistics.power import Family

K_PATH = "objective.num_samples"


@dataclass(frozen=True)
class Configuration:
    """A row: what one configuration's complete trials measured.

    Attributes:
        trials: its complete trials, in plan order; at least one.
        planned: seeds that the plan holds for it.
        parameters: value of every varied leaf, by path; a leaf that its parts do not have is left out.
        diverged: why it counts as diverged; empty if it does not.
        unfinished: its trials that train still, or were stopped and go on with `resume`.
    """

    trials: tuple[TrialRecord, ...]
    planned: int
    parameters: Mapping[str, Any]
    diverged: str = ""
    unfinished: tuple[TrialRecord, ...] = ()

    @property
    def key(self) -> str:
        """The configuration's key."""
        return self.trials[0].plan.configuration_key

    @property
    def name(self) -> str:
        """A name that a person can read."""
        return self.trials[0].plan.configuration_name

    @property
    def evidence(self) -> str:
        """What its likelihood is: ``estimate``, ``bound``, ``exact`` or ``none``."""
        return self.trials[0].config.model.evidence

    @property
    def num_samples(self) -> int:
        """K, the importance samples of a training step."""
        return self.trials[0].config.objective.num_samples

    @property
    def alone(self) -> ShapeProbe | None:
        """What a step takes alone on a machine; None where the seconds are those that its trials measured."""
        return self.trials[0].alone

    @property
    def shared_timing(self) -> bool:
        """Whether any of its trials measured its seconds on a shared machine."""
        return any(trial.timing.get("shared") for trial in self.trials)

    @property
    def shared_seconds(self) -> bool:
        """Whether the seconds of the time axis are those of a shared machine."""
        return self.shared_timing and self.alone is None

    def values(self, column: str) -> tuple[float, ...]:
        """A column's value of every seed that has one."""
        return self._values[column]

    def estimate(self, column: str) -> Estimate | None:
        """A column's mean over seeds with its 95 % interval; None if no seed has it.

        A t-interval for what ranks; for seconds, counts, ratios and bytes that of the logarithm, within what
        the column can be. Seconds of a trial alone have the interval of their probe, over its rounds.
        """
        return self._estimates[column]

    # Once a row: every figure, table and comparison asks every row again.
    @cached_property
    def _values(self) -> Mapping[str, tuple[float, ...]]:
        return {
            column: tuple(value for trial in self.trials if (value := measure(trial)) is not None)
            for column, measure in COLUMNS.items()
        }

    @cached_property
    def _estimates(self) -> Mapping[str, Estimate | None]:
        return {column: self._estimated(column, values) for column, values in self._values.items()}

    def _estimated(self, column: str, values: tuple[float, ...]) -> Estimate | None:
        if column in RANKS:
            return t_interval(values)
        if column in (SECONDS, "train_seconds_exclusive") and self.alone and values:
            mean, one = fmean(values), self.alone
            low, high = (mean * end / one.step_seconds for end in (one.low, one.high))
            return Estimate(mean, low, high, one.rounds)
        return positive_interval(values, *self.possible(column))

    def possible(self, column: str) -> tuple[float, float]:
        """The smallest and the largest value that a column can have at all."""
        if column in RANKS:
            return -math.inf, math.inf
        config = self.trials[0].config
        most = {"active_units": config.model.num_units, "ess": config.evaluation.final_num_samples}
        return float(column == "ess"), float(most.get(column, math.inf))

    def mean(self, column: str) -> float | None:
        """A column's mean over seeds."""
        estimate = self.estimate(column)
        return estimate.mean if estimate else None


@dataclass(frozen=True)
class Table:
    """The configurations that one yardstick measured.

    Attributes:
        yardstick: what they were measured on and with.
        paths: their varied leaves.
        configurations: in plan order.
        looks: how often the sweep ended and was then given more seeds of a configuration, plus 1.
        equal_seconds: training seconds that every configuration was planned for; None at equal epochs.
    """

    yardstick: Yardstick
    paths: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    looks: int = 1
    equal_seconds: float | None = None

    @property
    def score(self) -> Score:
        """What ranks its configurations."""
        return self.yardstick.score

    @property
    def num_trials(self) -> int:
        """All complete trials in it."""
        return sum(len(row.trials) for row in self.configurations)

    @cached_property
    def steady(self) -> tuple[Configuration, ...]:
        """The configurations that did not diverge; all of them if every one did."""
        return tuple(row for row in self.configurations if not row.diverged) or self.configurations

    @cached_property
    def apart(self) -> tuple[int, ...]:
        """The places of the configurations that diverged."""
        return tuple(index for index, row in enumerate(self.configurations) if row.diverged)

    @cached_property
    def family(self) -> Family:
        """The final validation scores as they are compared with each other."""
        return Family([row.values(SCORE) for row in self.configurations], self.apart, self.looks)

    @cached_property
    def distinct_paths(self) -> tuple[str, ...]:
        """The varied leaves that take more than one value here."""
        return tuple(
            p for p in self.paths if len({text(c.parameters.get(p)) for c in self.configurations}) > 1
        )

    @property
    def timed_on(self) -> str | None:
        """The kind of machine that the seconds are those of, alone; None where they are as measured."""
        alone = self.configurations[0].alone
        return None if alone is None else alone.machine

    @property
    def num_samples(self) -> tuple[int, ...]:
        """The K's in the table, ascending."""
        return tuple(sorted({c.num_samples for c in self.configurations}))


def text(value: Any) -> str:
    """A parameter's value as text; empty where a configuration does not have it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def tables(record: SweepRecord) -> list[Table]:
    """The record's complete trials as one table for each yardstick.

    Tables of likelihoods come first, those with most trials before the others.
    """
    paths = tuple(dict.fromkeys(path for t in record.trials for path in flatten(t.plan.overrides)))
    groups: dict[Yardstick, list[Configuration]] = {}
    contents = measured_on(record)
    for planned in record.configurations.values():
        trials = [replace(trial, alone=record.alone.get(trial.key)) for trial in planned]
        done = [t for t in trials if t.state is TrialState.COMPLETE and COLUMNS[SCORE](t) is not None]
        for content in dict.fromkeys(contents[trial.key] for trial in done):
            same = tuple(trial for trial in done if contents[trial.key] == content)
            # What older records lack is not recorded at its default, but may be among what is varied.
            flat = {**same[0].config.flat(whole=True), **same[0].plan.varied}
            parameters = {path: flat[path] for path in paths if path in flat}
            row = Configuration(
                same, len(trials), parameters, divergence(trials), _unfinished(trials, contents, content)
            )
            groups.setdefault(Yardstick.of(same[0].config, content), []).append(row)
    looks = looks_of(record)
    found = [
        Table(yardstick, paths, tuple(rows), looks, record.equal_seconds)
        for yardstick, rows in groups.items()
    ]
    return sorted(found, key=lambda table: (not table.score.is_likelihood, -table.num_trials))


def _unfinished(
    trials: Sequence[TrialRecord], contents: Mapping[str, str], content: str
) -> tuple[TrialRecord, ...]:
    return tuple(
        trial
        for trial in trials
        if trial.state in (TrialState.RUNNING, TrialState.STOPPED)
        and trial.history
        and contents[trial.key] == content
    )


def looks_of(record: SweepRecord) -> int:
    """How often the sweep had ended when a configuration was given more seeds, plus 1.

    Each look is another chance to find a difference that is not there.
    """
    looks = 1
    for session in record.sessions:
        end = session.ended
        if end is None or session.outcome != "finished":
            continue
        for trials in record.configurations.values():
            ends = [trial.ended for trial in trials if trial.ended is not None]
            if ends and min(ends) <= end < max(ends):
                looks += 1
                break
    return looks
