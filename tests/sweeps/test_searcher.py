"""What the driver does with trials that Ray gives back."""

from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from sweeps.board import Board
from sweeps.outcomes import UNSTORED
from sweeps.searcher import MOST_RETURNS, PlanSearcher
from tracking.folder import Folder
from tracking.records import PlannedTrial, TrialState
from tracking.storage import SweepStorage


@pytest.fixture
def planned(small_config: Any) -> PlannedTrial:
    return PlannedTrial(0, {}, small_config())


@pytest.fixture
def storage(tmp_path: Path, planned: PlannedTrial) -> SweepStorage:
    storage = SweepStorage(Folder(tmp_path), "one")
    storage.create({"name": "one"}, [planned], {})
    return storage


@pytest.fixture
def searcher(storage: SweepStorage, planned: PlannedTrial) -> PlanSearcher:
    options = {"session": 1, "retries": 2}
    return PlanSearcher(storage, [planned], None, options, None, Board(storage, storage.record().trials))


def state(storage: SweepStorage) -> TrialState:
    return storage.record().trials[0].state


def test_the_end_waits_for_what_runs(searcher: PlanSearcher) -> None:
    assert isinstance(searcher.suggest("a"), dict)
    assert searcher.suggest("b") is None
    searcher.on_trial_complete("a", {"over": True})
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_trial_that_could_not_begin_is_handed_out_again(
    searcher: PlanSearcher, storage: SweepStorage
) -> None:
    for number in range(MOST_RETURNS + 1):
        assert isinstance(searcher.suggest(str(number)), dict)
        searcher.on_trial_complete(str(number), error=True)
    assert state(storage) is TrialState.FAILED
    assert searcher.suggest("last") == Searcher.FINISHED


def test_a_trial_whose_worker_died_too_often_is_failed(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    storage.begin_attempt(planned.key, {"started": 0.0, "session": 0})  # an earlier driver's does not count
    for number in range(3):
        assert state(storage) in (TrialState.WAITING, TrialState.RUNNING)
        assert isinstance(searcher.suggest(str(number)), dict)
        storage.begin_attempt(planned.key, {"started": 0.0, "session": 1})
        searcher.on_trial_complete(str(number), error=True)
    assert state(storage) is TrialState.FAILED
    assert storage.record().trials[0].error == "its worker died 3 times; see the attempts in the record"


def test_a_trial_that_the_scheduler_ended_is_pruned(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    searcher.suggest("a")
    storage.begin_attempt(planned.key, {"started": 0.0, "session": 1})
    searcher.on_trial_complete("a", {"done": True, "over": False})
    assert state(storage) is TrialState.PRUNED


def test_trouble_with_storage_ends_the_handing_out(searcher: PlanSearcher, storage: SweepStorage) -> None:
    searcher.suggest("a")
    told = {"over": True, "outcome": UNSTORED, "error": "storage x: No space left on device"}
    searcher.on_trial_complete("a", told)
    assert searcher.trouble == "storage x: No space left on device"
    assert searcher.suggest("b") == Searcher.FINISHED
    assert state(storage) is TrialState.WAITING
