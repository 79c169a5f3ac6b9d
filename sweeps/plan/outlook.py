"""What a sweep will take: its trials' seconds, its wall-clock time and its price."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from iwae.config.train import TrainConfig
from sweeps.pace.seconds import duration
from sweeps.plan.forecast import Forecast, TrialSeconds
from sweeps.plan.wall import COVERAGE, Draw, Places, Range, Simulated, crowding, simulated
from sweeps.space.choosers import Point
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.records.records import PlannedTrial
from tracking.records.shapes import LaunchForecast, TrialForecast

# Points of the space that stand for what a sampler may suggest.
_POINTS = 256


@dataclass(frozen=True)
class Outlook:
    """What a sweep will take on so many places.

    Attributes:
        forecast: of its trials, alone on their cores.
        places: where they run.
        first: keys of the trials that are the first of their workers.
        crowding: by how much they take longer together.
        drawn: what the sweep takes.
        price: of its trials' hours at ``resources.price_per_hour``; None where that is not given.
    """

    forecast: Forecast
    places: Places
    first: frozenset[str]
    crowding: float
    drawn: Simulated
    price: Range | None

    def seconds(self, trial: PlannedTrial) -> TrialSeconds:
        """What a trial will take there, beside the others."""
        alone = self.forecast.of(trial.config)
        return (alone.in_new_worker() if trial.key in self.first else alone).times(self.crowding)

    def at_launch(self, trials: Sequence[PlannedTrial]) -> LaunchForecast:
        """What a driver keeps of it, to be compared with what it took."""
        seconds = {trial.key: self.seconds(trial) for trial in trials}
        return LaunchForecast(
            made=time.time(),
            basis=self.forecast.basis,
            wall_seconds=self.drawn.session.middle,
            wall_low=self.drawn.session.low,
            wall_high=self.drawn.session.high,
            coverage=COVERAGE,
            trials={
                key: TrialForecast(train_seconds=one.training, seconds=one.total)
                for key, one in seconds.items()
            },
        )


@dataclass(frozen=True)
class Planned:
    """What `sweeps plan` found out.

    Attributes:
        spec: of the sweep; at equal seconds with the epochs that fit, as far as they are known.
        trials: of the sweep; none where a sampler will suggest them.
        shapes: a configuration of each kind that takes its own time.
        outlook: what it will take; None where nothing tells seconds.
        remarks: what to know of its data, a sentence each.
    """

    spec: SweepSpec
    trials: Sequence[PlannedTrial]
    shapes: Sequence[TrainConfig]
    outlook: Outlook | None
    remarks: Sequence[str] = ()

    @property
    def num_trials(self) -> int:
        """Of all configurations and seeds."""
        search = self.spec.search
        suggested = (search.num_trials or 0) * len(search.seeds)
        return suggested if self.spec.is_model_based else len(self.trials)

    @property
    def estimated(self) -> bool:
        """Whether its epochs, and so its keys, are measured again when it runs."""
        return self.spec.search.equal_seconds is not None


def in_words(found: Outlook) -> str:
    """The wall-clock time, for one line: ``2 trials at once: about 80 s, in 9 of 10 sweeps 70 s to 95 s``."""
    wall, number = found.drawn.wall, found.places.number
    return (
        f"{number} trial{'' if number == 1 else 's'} at once: about {duration(wall.middle)}, in"
        f" {COVERAGE * 10:.0f} of 10 sweeps {duration(wall.low)} to {duration(wall.high)}"
    )


def places_of(resources: Resources, cpus: float, gpus: float) -> Places:
    """Where trials run on a machine, or cluster, with so many CPUs and GPUs."""
    most = [int(cpus / resources.cpus + 1e-9)]
    if resources.gpus:
        most.append(int(gpus / resources.gpus + 1e-9))
    if resources.max_concurrent is not None:
        most.append(resources.max_concurrent)
    return Places(max(1, min(most)), resources.cpus, cpus)


def outlook(spec: SweepSpec, trials: Sequence[PlannedTrial], forecast: Forecast, places: Places) -> Outlook:
    """What the trials of a spec will take; of a model-based sampler's, as if it drew them at random."""
    draw = _suggested(spec, forecast) if spec.is_model_based else _planned(trials, forecast, places)
    drawn = simulated(draw, places, forecast.basis)
    rate = spec.resources.price_per_hour
    return Outlook(
        forecast=forecast,
        places=places,
        first=frozenset(trial.key for trial in trials[: places.number]),
        crowding=crowding(draw(random.Random(0)), places),
        drawn=drawn,
        price=None if rate is None else drawn.hours.times(rate),
    )


def _planned(trials: Sequence[PlannedTrial], forecast: Forecast, places: Places) -> Draw:
    alone = [forecast.of(trial.config) for trial in trials]
    taken = [one.in_new_worker() if i < places.number else one for i, one in enumerate(alone)]
    found = [(one.total, trial.config.num_epochs) for one, trial in zip(taken, trials, strict=True)]
    return lambda source: found


def _suggested(spec: SweepSpec, forecast: Forecast) -> Draw:
    """Configurations of a sampler that learns: half of them at random, half near one that it came to like."""
    points, source = [], random.Random(0)
    for _ in range(_POINTS):
        config = spec.configuration(spec.space.draw(Point({c: source.random() for c in spec.space.choices})))
        points.append((forecast.of(config).total, config.num_epochs))
    number, seeds = spec.search.num_trials or 0, spec.search.seeds

    def draw(source: random.Random) -> list[tuple[float, int]]:
        liked = source.choice(points)
        found = [liked if i % 2 else source.choice(points) for i in range(number)]
        return [one for one in found for _ in seeds]

    return draw
