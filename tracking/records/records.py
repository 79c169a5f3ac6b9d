"""What storage holds about a sweep, as plain values: no MLflow, no Ray, no plotting.

A sweep is a plan (what was decided before a trial ran) and, for each trial of the plan, what it left in
storage. Everything that is shown, compared or reproduced is a function of these records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from iwae.config.train import TrainConfig
from iwae.epoch import EpochRecord as EpochRecord
from tracking.records.exclusive import on_one_machine
from tracking.records.planned import DataSet
from tracking.records.planned import PlannedTrial as PlannedTrial
from tracking.records.shapes import Attempt, LaunchForecast, SessionEntry, ShapeProbe
from tracking.records.source import Source


class TrialState(StrEnum):
    """Where a trial stands.

    WAITING has no attempt yet. RUNNING has one that neither ended nor said why it stopped (after a hard kill
    a trial still reads RUNNING; `status` and `verify` ask whether a driver works on it). STOPPED was asked to
    stop and goes on with `resume`. PRUNED was ended by the scheduler. COMPLETE has its final numbers.
    """

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the trial unless it is asked for."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)


@dataclass(frozen=True)
class TrialRecord:
    """A planned trial and what it left in storage.

    Attributes:
        history: every epoch up to the newest intact checkpoint, in order.
        final: the final numbers by MLflow name; None unless COMPLETE.
        error: the cause, for FAILED; the first line is readable on its own.
        attempts: oldest first; None where the file is torn.
        timing: ``{"shared": bool, "reason": str}``, whether the seconds were measured on a shared machine.
        ended: when it was complete, pruned, stopped or failed, seconds since 1970.
        seen: the last sign of life of a trial that has not ended, seconds since 1970.
        seals: the digests in the seals of its attempts and of its newest unit and outcome, by file name;
            files from before there were seals have none.
        alone: what its steps take alone on a machine; None where the seconds are those that it measured. Only
            tables give it one (``SweepRecord.alone``).
    """

    plan: PlannedTrial
    state: TrialState
    history: tuple[EpochRecord, ...] = field(default=(), repr=False)
    final: Mapping[str, float] | None = None
    error: str | None = None
    attempts: tuple[Attempt | None, ...] = field(default=(), repr=False)
    timing: Mapping[str, Any] = field(default_factory=lambda: {"shared": False, "reason": ""})
    ended: float | None = None
    seen: float | None = None
    seals: Mapping[str, str] = field(default_factory=dict, repr=False)
    alone: ShapeProbe | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The trial's identity."""
        return self.plan.key

    @property
    def config(self) -> TrainConfig:
        """The complete configuration, seed included."""
        return self.plan.config

    @property
    def cause(self) -> str:
        """The first line of the error; empty without one."""
        return (self.error or "").partition("\n")[0]

    @property
    def error_kind(self) -> str:
        """The class of the error that failed the trial, which its cause begins with; else empty."""
        kind, colon, _ = self.cause.partition(": ")
        return kind if colon and self.state is TrialState.FAILED else ""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The environment of the newest attempt; empty before the first."""
        last = self.attempts[-1] if self.attempts else None
        return {} if last is None else last.provenance

    @property
    def slots(self) -> int | None:
        """Of the pack that the newest attempt trains in; 1 is alone, None is not begun."""
        last = self.attempts[-1] if self.attempts else None
        return None if last is None else last.slots

    @property
    def train_seconds(self) -> float:
        """Training seconds so far, without evaluation, logging and checkpoints."""
        return self.history[-1].metrics.get("time/train_seconds", 0.0) if self.history else 0.0

    def seconds_after(self, epoch: EpochRecord) -> float | None:
        """Training seconds up to the end of an epoch: of its steps alone, else as measured; None without."""
        if self.alone is not None:
            return epoch.epoch * self.alone.epoch_seconds
        return epoch.metrics.get("time/train_seconds")

    @property
    def cpu_seconds(self) -> float:
        """CPU-seconds that all attempts held, busy or not: CPUs times wall clock."""
        last = self.attempts[-1] if self.attempts else None
        return 0.0 if last is None else float(last.earlier.cpu_seconds + last.cpus * self._seconds(last))

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds that all attempts held; a share of a GPU counts as that share."""
        last = self.attempts[-1] if self.attempts else None
        return 0.0 if last is None else float(last.earlier.gpu_seconds + last.gpus * self._seconds(last))

    def _seconds(self, last: Attempt) -> float:
        """Wall clock of the newest attempt so far."""
        return max(0.0, (self.ended or self.seen or last.started) - last.started)


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as storage holds it.

    Attributes:
        name: unique in a tracking store.
        storage: absolute path of the storage that holds the sweep's folder.
        spec: the spec as plain data, as it was resolved when the sweep started.
        code: commit, uncommitted diff and versions of the driver (``tracking.provenance.provenance.code``).
        sessions: one entry a driver that worked on it, oldest first; torn ones left out.
        trials: in the plan's order.
        data: what its data sets held when they were first read; none in a record from before that was kept.
        probes: what a training step takes alone on a machine, one a shape and kind of machine.
        forecasts: what each driver said before its first trial, by the driver's number, from 1.
        decided: SHA-256 of spec, plan, code and data; None for a sweep from before sweeps had ids.
        earlier: the same of what was decided before, oldest first.
        source: what it was read from; None for one that was made by hand.
    """

    name: str
    storage: str
    spec: Mapping[str, Any]
    code: Mapping[str, Any]
    sessions: tuple[SessionEntry, ...]
    trials: tuple[TrialRecord, ...]
    data: tuple[DataSet, ...] = ()
    probes: tuple[ShapeProbe, ...] = ()
    forecasts: Mapping[int, LaunchForecast] = field(default_factory=dict, repr=False)
    decided: str | None = None
    earlier: tuple[str, ...] = ()
    source: "Source[SweepRecord] | None" = field(default=None, repr=False, compare=False)

    @cached_property
    def complete(self) -> tuple[TrialRecord, ...]:
        """The trials with final numbers."""
        return tuple(trial for trial in self.trials if trial.state is TrialState.COMPLETE)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Trials by state, states without a trial left out."""
        states = [trial.state for trial in self.trials]
        return {state.value: states.count(state) for state in TrialState if state in states}

    @property
    def cpu_hours(self) -> float:
        """CPU-hours that the trials held so far."""
        return sum(trial.cpu_seconds for trial in self.trials) / 3600

    @property
    def gpu_hours(self) -> float:
        """GPU-hours that the trials held so far."""
        return sum(trial.gpu_seconds for trial in self.trials) / 3600

    @cached_property
    def configurations(self) -> dict[str, tuple[TrialRecord, ...]]:
        """The trials of each configuration (its replicates, by seed), by configuration key, in plan order."""
        groups: dict[str, list[TrialRecord]] = {}
        for trial in self.trials:
            groups.setdefault(trial.plan.configuration_key, []).append(trial)
        return {key: tuple(trials) for key, trials in groups.items()}

    @cached_property
    def alone(self) -> Mapping[str, ShapeProbe]:
        """What the steps of each trial take alone on one kind of machine, by the trial's key.

        Empty unless one kind was probed for every complete trial: seconds of two kinds, or of a probe and of
        a shared machine, are not comparable. Of several kinds it is that on which most of them ran.
        """
        return on_one_machine(self.probes, self.trials, self.complete) if self.probes else {}

    @property
    def equal_seconds(self) -> float | None:
        """Training seconds that every configuration was planned for; None at equal epochs."""
        rule = self.spec.get("search", {}).get("equal_seconds")
        return rule.get("seconds") if isinstance(rule, Mapping) else None

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Paths of the search space in the spec's order; the seed is not among them."""
        paths: dict[str, None] = {}
        for trial in self.trials:
            paths.update(dict.fromkeys(trial.plan.overrides))
        return tuple(paths)

    def trial(self, key: str) -> TrialRecord:
        """The trial with this key.

        Raises:
            KeyError: the plan has none.
        """
        for trial in self.trials:
            if trial.key == key:
                return trial
        raise KeyError(key)
