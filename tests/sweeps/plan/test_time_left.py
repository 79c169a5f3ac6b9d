"""The time left: nothing before there is something to go on, and from then on no wild numbers."""

import json
import time
from pathlib import Path

import pytest

from iwae.config.train import TrainConfig
from sweeps.execution.progress import Board
from sweeps.plan.forecast import Forecast
from sweeps.plan.plan import draw_plan
from sweeps.plan.time_left import Mark, time_left
from sweeps.spec.spec import load_spec
from sweeps.status import status_json
from tracking.files.folder import Folder
from tracking.records.records import EpochRecord, PlannedTrial, TrialRecord, TrialState
from tracking.records.shapes import Attempt, TrialProgress
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage


def planned(index: int, k: int = 1) -> PlannedTrial:
    values = {"data": {"name": "digits"}, "objective": {"num_samples": k}, "seed": index, "num_epochs": 2}
    return PlannedTrial(index, {}, TrainConfig.parse(values))


def ended(plan: PlannedTrial) -> TrialRecord:
    history = (EpochRecord(1, 0.0, {}), EpochRecord(2, 1.0, {}))
    return TrialRecord(plan, TrialState.COMPLETE, history, {"val/nll_final": 24.0})


def test_the_pace_is_that_of_the_second_half() -> None:
    """50 s for the first trial, then two every 10 s: 4 of 10 are left, which take 20 s."""
    marks = [Mark(0, 0, 0), Mark(50, 2, 2), Mark(60, 4, 4), Mark(70, 6, 6)]
    assert time_left(marks[:3], 10) == pytest.approx(60 * 6 / 4)
    assert time_left([*marks[:-1], Mark(100, 10, 10)], 14) == pytest.approx(50 * 4 / 8)


@pytest.mark.parametrize("marks", [[], [Mark(0, 0, 0)], [Mark(0, 5, 2), Mark(90, 5.2, 2)]])
def test_there_is_no_estimate_before_a_trial_ended_or_a_twentieth_is_done(marks: list[Mark]) -> None:
    assert time_left(marks, 10) is None


def test_a_twentieth_of_a_long_first_trial_is_enough() -> None:
    marks = [Mark(0, 0, 0), Mark(50, 0.25, 0), Mark(100, 0.5, 0)]
    assert time_left(marks, 10) == pytest.approx(50 * 9.5 / 0.25)


def test_where_nothing_was_done_lately_the_whole_time_counts() -> None:
    assert time_left([Mark(0, 0, 0), Mark(10, 5, 1), Mark(100, 5, 1)], 10) == pytest.approx(100)


def test_the_board_counts_from_the_first_trial_seen_at_work(tmp_path: Path) -> None:
    """Ray took 100 s to start; then each of three equal trials takes 10 s."""
    plans, now = [planned(0), planned(1), planned(2)], [1000.0]
    storage = SweepStorage(Folder(tmp_path), "s")
    waiting = [TrialRecord(plan, TrialState.WAITING) for plan in plans]
    board = Board(storage, waiting, started=900.0, clock=lambda: now[0])
    board.refresh()
    assert board.seconds_left() is None
    board.begin(plans[0].key)
    storage.trial(plans[0].key).write_progress(TrialProgress(time=1000.0, phase="training", num_epochs=2))
    board.refresh()
    assert board.seconds_left() is None
    now[0] = 1010.0
    board.update(ended(plans[0]))
    assert board.seconds_left() == pytest.approx(20)


def test_what_was_done_before_this_driver_is_no_part_of_its_pace(tmp_path: Path) -> None:
    plans = [planned(0), planned(1)]
    board = Board(
        SweepStorage(Folder(tmp_path), "s"), [ended(plans[0]), TrialRecord(plans[1], TrialState.WAITING)]
    )
    board.refresh()
    assert board.seconds_left() is None
    assert board.take_changed() == []


def test_status_counts_from_the_first_attempt_of_the_session(tmp_path: Path) -> None:
    """K=1 has just ended, K=5 is half done, K=50 waits; the session began 1,000 s before them."""
    plans = [planned(0), planned(1, 5), planned(2, 50)]
    storage = SweepStorage(Folder(tmp_path), "s")
    storage.create(Decided.of({"name": "s"}, plans, {}))
    with Session(storage, "test") as session:
        began = time.time() - 1000
        session._write(started=began - 1000)
        for index in (0, 1):
            storage.trial(plans[index].key).begin_attempt(Attempt(started=began, session=1))
        storage.trial(plans[0].key).write_outcome(TrialState.PRUNED)
        half = TrialProgress(phase="training", epoch=1, num_epochs=2, fraction=0.5, time=time.time())
        storage.trial(plans[1].key).write_progress(half)
        left = status_json(storage)["seconds_left"]
    costs = [Forecast().of(plan.config) for plan in plans]
    done = costs[0].total + 0.5 * (costs[1].total - costs[1].final)
    assert left == pytest.approx(500 / done * (sum(cost.total for cost in costs) - done), rel=0.01)


def test_no_estimate_of_the_quickstart_is_wild() -> None:
    """Its progress, as recorded on two cores, played again second by second until the last seconds."""
    times = json.loads((Path(__file__).parents[1] / "fixtures/quickstart-times.json").read_text())
    costs = [Forecast().of(trial.config) for trial in draw_plan(load_spec("quickstart"))]
    first, last = min(one["began"] for one in times), max(one["ended"] for one in times)
    marks: list[Mark] = []
    told = 0
    for second in range(int(last - first) - 5):
        now = first + second
        done = [
            cost.done(sum(at <= now for at in one["epochs"]) / 30, ended=one["ended"] <= now)
            for cost, one in zip(costs, times, strict=True)
        ]
        marks.append(Mark(now, sum(done), sum(one["ended"] <= now for one in times)))
        left, true = time_left(marks, sum(cost.total for cost in costs)), last - now
        if left is not None:
            told += 1
            assert true / 1.6 < left < 1.6 * true
    assert told > 0.85 * len(marks)
