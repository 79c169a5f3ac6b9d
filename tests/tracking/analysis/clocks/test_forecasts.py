"""What was forecast against what came, from storage."""

from pathlib import Path

import pytest

from support.hand_made import STARTED, Sweep, forecast
from tracking.analysis.clocks.forecasts import checks, forecast_metrics
from tracking.records.shapes import LaunchForecast, TrialForecast


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Three trials that took 60, 59 and 58 s, of a driver that took 99 s."""
    made = Sweep(tmp_path)
    made.finish()
    for index in range(3):
        path = made.trial_folder(index) / "attempt-0001.json"
        values = made.storage.unseal(f"trials/{made.plan[index].key}/attempt-0001.json")[0]
        path.unlink()
        made.storage.write_json(f"trials/{made.plan[index].key}/attempt-0001.json", {**values, "session": 1})
    return made


def said(sweep: Sweep, *seconds: float, wall: float, low: float, high: float) -> LaunchForecast:
    trials = {
        trial.key: TrialForecast(train_seconds=1.0, seconds=one)
        for trial, one in zip(sweep.plan, seconds, strict=True)
    }
    return LaunchForecast(made=STARTED + 1, wall_seconds=wall, wall_low=low, wall_high=high, trials=trials)


def test_errors_are_shares_of_what_came(sweep: Sweep):
    sweep.storage.write_forecast(1, said(sweep, 30.0, 59.0, 116.0, wall=80.0, low=70.0, high=100.0))
    (one,) = checks(sweep.storage.record())
    assert [pair.error for pair in one.pairs] == pytest.approx([0.5, 0.0, 1.0])
    assert one.median_error == pytest.approx(0.5)
    assert one.worst is not None
    assert one.worst.trial.key == sweep.plan[2].key
    assert one.wall_error == pytest.approx(19 / 99)
    assert one.within is True
    assert forecast_metrics(sweep.storage.record()) == pytest.approx(
        {
            "forecast/wall_seconds": 80.0,
            "forecast/wall_seconds_taken": 99.0,
            "forecast/wall_error": 19 / 99,
            "forecast/median_error": 0.5,
            "forecast/worst_error": 1.0,
        }
    )


def test_a_wall_clock_outside_its_interval_is_told(sweep: Sweep):
    sweep.storage.write_forecast(1, said(sweep, 60.0, 59.0, 58.0, wall=50.0, low=40.0, high=60.0))
    assert checks(sweep.storage.record())[0].within is False


def test_a_sweep_that_was_stopped_has_no_wall_clock_to_compare(sweep: Sweep):
    sweep.storage.write_forecast(1, forecast(*sweep.plan))
    sweep.close("interrupted")
    (one,) = checks(sweep.storage.record())
    assert (one.wall_seconds, one.wall_error, one.within) == (None, None, None)
    assert len(one.pairs) == 3


def test_a_trial_of_a_later_driver_is_not_the_first_ones(sweep: Sweep):
    sweep.storage.write_forecast(2, forecast(*sweep.plan))
    assert all(not one.pairs for one in checks(sweep.storage.record()))


def test_nothing_was_forecast(sweep: Sweep):
    assert checks(sweep.storage.record()) == ()
    assert forecast_metrics(sweep.storage.record()) == {}
