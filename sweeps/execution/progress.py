"""What a running sweep shows: every trial's state and progress, shared between threads."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweeps.plan.forecast import Forecast
from sweeps.plan.time_left import Mark, time_left
from tracking.records.comparable.score import SCORES, Score, score_of
from tracking.records.records import PlannedTrial, TrialRecord, TrialState
from tracking.storage.sweep import SweepStorage


@dataclass
class Row:
    """One trial as the display shows it.

    Attributes:
        fraction: share of its training done.
        score: newest value of the curve that it is compared by; ``final_score`` the value that ranks it.
    """

    planned: PlannedTrial
    state: TrialState = TrialState.WAITING
    phase: str = ""
    epoch: int = 0
    fraction: float = 0.0
    score: float | None = None
    final_score: float | None = None
    train_seconds: float = 0.0
    error: str | None = None

    @property
    def measure(self) -> Score:
        """What its scores are."""
        return score_of(self.planned.config)


class Board:
    """The rows of one sweep, in plan order.

    Args:
        storage: where running trials say how far they are.
        trials: what storage held when the driver started.
        started: when it did, seconds since 1970; None is now.
        clock: gives the time, seconds since 1970.
        forecast: what the trials take, for their shares of the whole; None takes their operations.
    """

    def __init__(
        self,
        storage: SweepStorage,
        trials: Iterable[TrialRecord],
        started: float | None = None,
        clock: Callable[[], float] = time.time,
        forecast: Forecast | None = None,
    ) -> None:
        self._forecast = forecast or Forecast()
        self._storage = storage
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._changed: list[str] = []
        self._handed_out: set[str] = set()
        self._clock = clock
        self._marks: list[Mark] = []
        self.started = clock() if started is None else started
        for trial in trials:
            self._rows[trial.key] = Row(trial.plan)
            self.update(trial)
        self._changed.clear()
        self._marks.clear()

    def add(self, trials: Iterable[PlannedTrial]) -> None:
        """More trials, from a sampler."""
        with self._lock:
            self._rows.update((planned.key, Row(planned)) for planned in trials)

    def begin(self, key: str) -> None:
        """A trial was handed out: from now on `refresh` asks how far it is."""
        with self._lock:
            self._handed_out.add(key)

    def update(self, trial: TrialRecord) -> None:
        """A trial as storage has it now."""
        with self._lock:
            self._handed_out.discard(trial.key)
            row = self._rows.setdefault(trial.key, Row(trial.plan))
            row.state, row.error = trial.state, trial.error
            row.epoch = len(trial.history)
            row.train_seconds = trial.train_seconds
            row.fraction = 1.0 if trial.state.ended else row.epoch / trial.config.num_epochs
            curve = row.measure.curve
            values = [e.metrics[curve] for e in trial.history if curve in e.metrics]
            row.score = values[-1] if values else None
            row.final_score = trial.final[row.measure.final] if trial.final else None
            self._changed.append(trial.key)
            self._marks.append(self._mark())

    def refresh(self) -> None:
        """Read how far the running trials say they are."""
        with self._lock:
            asked = [(key, self._rows[key]) for key in self._handed_out]
        for key, row in asked:
            if row.state in (TrialState.WAITING, TrialState.RUNNING, TrialState.STOPPED):
                progress = self._storage.trial(key).progress()
                if progress is None or progress.time < self.started:
                    continue
                with self._lock:
                    if row.state in (TrialState.WAITING, TrialState.RUNNING):
                        row.state = TrialState.RUNNING
                        row.phase, row.epoch = progress.phase, progress.epoch
                        row.fraction = progress.fraction
                        newest = progress.to_dict().get(row.measure.curve)
                        row.score = row.score if newest is None else newest
                        if progress.train_seconds is not None:
                            row.train_seconds = progress.train_seconds
        with self._lock:
            # The clock of the pace starts when the first trial is seen at work.
            if self._marks or any(row.state is TrialState.RUNNING for row in self._rows.values()):
                self._marks.append(self._mark())

    def rows(self) -> list[Row]:
        """A copy of the rows, in plan order."""
        with self._lock:
            return [Row(**vars(row)) for row in self._rows.values()]

    def take_changed(self) -> list[Row]:
        """The trials that ended since the last call, in the order in which they did."""
        with self._lock:
            changed = [Row(**vars(self._rows[key])) for key in self._changed]
            self._changed.clear()
        return changed

    def best(self) -> Row | None:
        """The complete trial with the lowest final score: of those with a likelihood, where there are any."""
        with self._lock:
            complete = [row for row in self._rows.values() if row.final_score is not None]
            best = min(complete, key=_rank, default=None)
            return None if best is None else Row(**vars(best))

    def seconds_left(self) -> float | None:
        """Seconds that this driver still needs at its pace; None while too little was done to say."""
        with self._lock:
            total = sum(self._forecast.of(row.planned.config).total for row in self._rows.values())
            return time_left(self._marks, total)

    def _mark(self) -> Mark:
        rows = self._rows.values()
        forecast = self._forecast.of
        done = (forecast(row.planned.config).done(row.fraction, ended=row.state.ended) for row in rows)
        return Mark(self._clock(), sum(done), sum(row.state.ended for row in rows))


def _rank(row: Row) -> tuple[int, float]:
    return SCORES.index(row.measure), row.final_score or 0.0
