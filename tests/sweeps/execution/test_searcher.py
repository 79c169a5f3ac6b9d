"""What the driver does with trials that Ray gives back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from sweeps.execution.progress import Board
from sweeps.execution.searcher import MOST_RETURNS, PlanSearcher
from sweeps.worker import trial_files as desk
from sweeps.worker.outcomes import UNSTORED
from tracking.files.folder import Folder
from tracking.records.records import PlannedTrial, TrialState
from tracking.records.shapes import Attempt
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage


@pytest.fixture
def planned(small_config: Any) -> PlannedTrial:
    return PlannedTrial(0, {}, small_config())


@pytest.fixture
def storage(tmp_path: Path, planned: PlannedTrial) -> SweepStorage:
    storage = SweepStorage(Folder(tmp_path), "one")
    storage.create(Decided.of({"name": "one"}, [planned], {}))
    return storage


@pytest.fixture
def session(storage: SweepStorage) -> Iterator[Session]:
    with Session(storage, "test") as session:
        yield session


@pytest.fixture
def searcher(session: Session, storage: SweepStorage, planned: PlannedTrial) -> PlanSearcher:
    board = Board(storage, storage.record().trials)
    return PlanSearcher(session, [planned], None, board, options={}, retries=2)


def attempt(pid: int, session: int = 1) -> Attempt:
    return Attempt(started=0.0, session=session, hostname="here", pid=pid)


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
    said = "no worker could begin it, 21 times: see the logs of Ray's machines"
    assert storage.record().trials[0].error == said
    assert searcher.suggest("last") == Searcher.FINISHED


def test_a_trial_whose_worker_died_too_often_is_failed(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    storage.trial(planned.key).begin_attempt(attempt(0, session=0))  # an earlier driver's does not count
    for number in range(3):
        assert state(storage) in (TrialState.WAITING, TrialState.RUNNING)
        assert isinstance(searcher.suggest(str(number)), dict)
        for _ in range(4):  # a worker that runs out of memory begins it anew
            storage.trial(planned.key).begin_attempt(attempt(pid=number))
        searcher.on_trial_complete(str(number), error=True)
    assert state(storage) is TrialState.FAILED
    assert storage.record().trials[0].error == "its worker died 3 times; see the attempts in the record"


def test_a_trial_that_the_scheduler_ended_is_pruned(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    searcher.suggest("a")
    storage.trial(planned.key).begin_attempt(attempt(1))
    searcher.on_trial_complete("a", {"done": True, "over": False})
    assert state(storage) is TrialState.PRUNED


def test_a_trial_that_stopped_in_order_is_no_failure_of_its_worker(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    searcher.suggest("a")
    storage.trial(planned.key).begin_attempt(attempt(1))
    storage.trial(planned.key).write_outcome(TrialState.STOPPED)
    searcher.on_trial_complete("a", error=True)
    assert state(storage) is TrialState.STOPPED
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_driver_that_was_superseded_hands_out_and_writes_nothing(
    searcher: PlanSearcher, storage: SweepStorage, planned: PlannedTrial
) -> None:
    """A machine was suspended, somebody resumed the sweep on another, and it wakes up."""
    searcher.suggest("a")
    storage.trial(planned.key).begin_attempt(attempt(1))
    storage.create_session(2, storage.sessions()[0].model_copy(update={"hostname": "elsewhere"}))
    searcher.on_trial_complete("a", {"done": True, "over": False})
    assert state(storage) is TrialState.RUNNING
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_plan_that_another_driver_goes_on_with_is_not_written_over(
    session: Session, storage: SweepStorage, planned: PlannedTrial, small_config: Any
) -> None:
    more = [PlannedTrial(1, {}, small_config(seed=5))]
    searcher = PlanSearcher(session, [], Suggests(more), Board(storage, ()), options={}, retries=2)
    storage.create_session(2, storage.sessions()[0].model_copy(update={"hostname": "elsewhere"}))
    assert searcher.suggest("a") == Searcher.FINISHED
    assert [trial.key for trial in storage.plan()] == [planned.key]


def test_storage_that_does_not_take_the_plan_ends_the_handing_out(
    session: Session, storage: SweepStorage, small_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PATIENCE_SECONDS", 0.1)
    more = [PlannedTrial(1, {}, small_config(seed=5))]
    searcher = PlanSearcher(session, [], Suggests(more), Board(storage, ()), options={}, retries=2)
    path = Path(storage.uri, "sweep.zip")
    path.unlink()
    path.mkdir()
    assert searcher.suggest("a") == Searcher.FINISHED
    assert searcher.trouble is not None


class Suggests:
    """A source of one configuration."""

    def __init__(self, trials: list[PlannedTrial]) -> None:
        self.trials = trials

    def ask(self) -> list[PlannedTrial]:
        return self.trials

    def tell(self, record: Any) -> None:
        pass


def test_trouble_with_storage_ends_the_handing_out(searcher: PlanSearcher, storage: SweepStorage) -> None:
    searcher.suggest("a")
    told = {"over": True, "outcome": UNSTORED, "error": "storage x: No space left on device"}
    searcher.on_trial_complete("a", told)
    assert searcher.trouble == "storage x: No space left on device"
    assert searcher.suggest("b") == Searcher.FINISHED
    assert state(storage) is TrialState.WAITING
