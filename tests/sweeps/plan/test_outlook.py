"""The wall-clock time of a sweep, against other ways to compute it."""

from typing import Any

import numpy as np
import pytest

from iwae.config.train import TrainConfig
from sweeps.plan.forecast import Forecast
from sweeps.plan.outlook import in_words, outlook, places_of
from sweeps.plan.plan import draw_plan
from sweeps.plan.wall import (
    AROUND_DEVIATION,
    COMMON_DEVIATION,
    COVERAGE,
    OWN_DEVIATION,
    REPORT_SECONDS,
    SESSION_SECONDS,
    START_SECONDS,
    Places,
    crowding,
    simulated,
)
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.records.exclusive import shape_of
from tracking.records.shapes import ShapeProbe

AROUND = START_SECONDS + SESSION_SECONDS + REPORT_SECONDS
TRIALS = [(30.0 + 7 * (i % 5), 10) for i in range(12)]


def test_the_interval_holds_the_sweeps_of_another_simulation_as_often_as_it_says() -> None:
    """Two places of ten cores, in NumPy; 2,000 sweeps leave a standard error of .007."""
    wall = simulated(lambda source: TRIALS, Places(2, 1, 10), "probe").wall
    source, inside = np.random.default_rng(5), 0
    for _ in range(2000):
        common = np.exp(source.normal(0, COMMON_DEVIATION["probe"]))
        free = np.zeros(2)
        for seconds, _ in TRIALS:
            place = int(free.argmin())
            free[place] += seconds * common * np.exp(source.normal(0, OWN_DEVIATION))
        taken = free.max() + AROUND * np.exp(source.normal(0, AROUND_DEVIATION))
        inside += wall.low <= taken <= wall.high
    assert inside / 2000 == pytest.approx(COVERAGE, abs=0.04)


def test_one_place_takes_the_sum_and_many_the_longest() -> None:
    seconds = sum(taken for taken, _ in TRIALS)
    alone = simulated(lambda source: TRIALS, Places(1, 1, 10), "probe")
    assert alone.wall.middle == pytest.approx(seconds + AROUND, rel=0.05)
    assert alone.hours.middle == pytest.approx(seconds / 3600, rel=0.05)
    together = simulated(lambda source: TRIALS, Places(12, 1, 99), "probe")
    assert together.wall.middle == pytest.approx(58 * 1.05 + AROUND, rel=0.1)


def test_the_driver_slows_trials_where_no_core_is_left_for_it() -> None:
    assert crowding(TRIALS, Places(2, 1, 4)) == 1.0
    tight = crowding(TRIALS, Places(2, 1, 2))
    assert 1.0 < tight < 1.2
    # Shorter trials keep it busier.
    short = [(seconds / 10, epochs) for seconds, epochs in TRIALS]
    assert crowding(short, Places(2, 1, 2)) > tight


@pytest.mark.parametrize(
    ("resources", "number"),
    [
        ({}, 8),
        ({"cpus": 3}, 2),
        ({"cpus": 0.5}, 16),
        ({"max_concurrent": 5}, 5),
        ({"gpus": 0.25}, 8),
        ({"gpus": 1}, 2),
    ],
)
def test_so_many_trials_run_at_once(resources: dict[str, Any], number: int) -> None:
    assert places_of(Resources.model_validate(resources), 8, 2).number == number


def spec_of(**search: Any) -> SweepSpec:
    return SweepSpec.parse(
        {
            "name": "demo",
            "base": {"data": {"name": "digits"}},
            "search": {"space": {"objective.num_samples": {"grid": [1, 50]}}, **search},
            "resources": {"price_per_hour": 2.5},
        }
    )


def test_the_price_is_that_of_the_hours_of_all_trials() -> None:
    spec, forecast = spec_of(seeds=[0, 1]), Forecast()
    trials = draw_plan(spec)
    found = outlook(spec, trials, forecast, Places(1, 1, 4))
    hours = sum(forecast.of(trial.config).total for trial in trials) / 3600
    assert found.price is not None
    assert found.price.middle == pytest.approx(2.5 * found.drawn.hours.middle)
    assert found.price.low < 2.5 * hours < found.price.high
    assert "1 trial at once: about " in in_words(found)
    kept = found.at_launch(trials)
    assert set(kept.trials) == {trial.key for trial in trials}
    assert kept.wall_low < kept.wall_seconds < kept.wall_high < found.drawn.wall.high


def probe(config: TrainConfig, step: float) -> tuple[TrainConfig, ShapeProbe]:
    ends = {"step_seconds": step, "low": step, "high": step, "rounds": 9}
    return config, ShapeProbe(shape=shape_of(config), machine="this", steps_per_epoch=12, **ends)


def test_of_a_sampler_that_learns_the_range_is_that_of_the_space() -> None:
    """Wider than that of trials which are known, and within what the cheapest and the dearest alone take."""
    grid = spec_of()
    measured = [probe(t.config, 0.02 * t.config.objective.num_samples) for t in draw_plan(grid)]
    forecast, places = Forecast(measured), Places(1, 1, 4)
    space = {"objective.num_samples": {"int": [1, 50]}}
    spec = spec_of(space=space, sampler={"name": "tpe"}, num_trials=20)
    wall = outlook(spec, [], forecast, places).drawn.wall
    known = outlook(grid, draw_plan(grid), forecast, places).drawn.wall
    cheap, dear = (20 * forecast.of(config).total + AROUND for config, _ in measured)
    assert cheap < wall.low < wall.middle < wall.high < dear
    assert wall.high / wall.low > 1.5 * known.high / known.low
