"""What drivers said that their trials would take, against what they took."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import LaunchForecast, SessionEntry


@dataclass(frozen=True)
class Pair:
    """Seconds that were forecast and those that came, of one trial.

    Attributes:
        trial: which.
        said: from its start to its end, or of training alone where only that was said.
        took: the same as it was measured.
    """

    trial: TrialRecord
    said: float
    took: float

    @property
    def error(self) -> float:
        """Size of the difference as a share of what it took."""
        return abs(self.said - self.took) / self.took


@dataclass(frozen=True)
class Check:
    """One driver's forecast against what came.

    Attributes:
        session: the driver's number.
        forecast: what it said.
        wall_seconds: from the driver's start to its end; None where it was stopped, failed or still runs.
        whole: whether the trials' seconds hold their evaluations.
        pairs: one a trial that this driver alone ran, from its start to its end.
    """

    session: int
    forecast: LaunchForecast
    wall_seconds: float | None
    whole: bool
    pairs: tuple[Pair, ...]

    @property
    def wall_error(self) -> float | None:
        """Size of the wall clock's difference as a share of what it took."""
        took = self.wall_seconds
        return abs(self.forecast.wall_seconds - took) / took if took else None

    @property
    def within(self) -> bool | None:
        """Whether the wall clock came out within the interval that was said; None without one."""
        low, high, took = self.forecast.wall_low, self.forecast.wall_high, self.wall_seconds
        return None if low is None or high is None or took is None else low <= took <= high

    @property
    def median_error(self) -> float | None:
        """The median of the trials' errors; None without a trial."""
        return median(pair.error for pair in self.pairs) if self.pairs else None

    @property
    def worst(self) -> Pair | None:
        """The trial with the largest error."""
        return max(self.pairs, key=lambda pair: pair.error, default=None)


def checks(record: SweepRecord) -> tuple[Check, ...]:
    """Every driver's forecast of which something came, oldest first."""
    found = []
    for number, forecast in sorted(record.forecasts.items()):
        session = _driver(record, forecast)
        whole = all(one.seconds is not None for one in forecast.trials.values())
        pairs = tuple(
            pair
            for trial in record.complete
            if (pair := _pair(trial, number, forecast, whole=whole)) is not None
        )
        wall = _wall(session)
        if pairs or wall is not None:
            found.append(Check(number, forecast, wall, whole, pairs))
    return tuple(found)


def forecast_metrics(record: SweepRecord) -> Mapping[str, float]:
    """The newest checked forecast as metrics of the sweep's run; none where nothing was forecast.

    Seconds, and errors as a share of what it took.
    """
    found = checks(record)
    if not found:
        return {}
    one = found[-1]
    values = {
        "wall_seconds": one.forecast.wall_seconds,
        "wall_seconds_taken": one.wall_seconds,
        "wall_error": one.wall_error,
        "median_error": one.median_error,
        "worst_error": None if one.worst is None else one.worst.error,
    }
    return {f"forecast/{name}": float(value) for name, value in values.items() if value is not None}


def _driver(record: SweepRecord, forecast: LaunchForecast) -> SessionEntry | None:
    """The driver that made a forecast: the last that had begun. Sessions that are torn have no place."""
    begun = [session for session in record.sessions if session.started <= forecast.made]
    return begun[-1] if begun else None


def _wall(session: SessionEntry | None) -> float | None:
    if session is None or session.ended is None or session.outcome != "finished":
        return None
    return session.ended - session.started


def _pair(trial: TrialRecord, session: int, forecast: LaunchForecast, *, whole: bool) -> Pair | None:
    said = forecast.trials.get(trial.key)
    only = trial.attempts[0] if len(trial.attempts) == 1 else None
    if said is None or only is None or only.session != session or trial.state is not TrialState.COMPLETE:
        return None
    if not whole:
        return Pair(trial, said.train_seconds, trial.train_seconds) if trial.train_seconds > 0 else None
    took = (trial.ended or 0.0) - only.started
    return Pair(trial, said.seconds or 0.0, took) if took > 0 else None
