"""What the driver does with trials that Ray gives back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from sweeps.execution.packs import Packing
from sweeps.execution.progress import Board
from sweeps.execution.searcher import MOST_RETURNS, PlanSearcher
from sweeps.spec.resources import Resources
from sweeps.worker import trial_files as desk
from sweeps.worker.outcomes import UNSTORED
from tracking.files.folder import Folder
from tracking.records.records import PlannedTrial, TrialState
from tracking.records.shapes import Attempt
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage

ALONE = Packing(Resources(), at_once=1)


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
    return PlanSearcher(session, [planned], None, board, options={}, retries=2, packing=ALONE)


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
    board = Board(storage, ())
    searcher = PlanSearcher(session, [], Suggests(more), board, options={}, retries=2, packing=ALONE)
    storage.create_session(2, storage.sessions()[0].model_copy(update={"hostname": "elsewhere"}))
    assert searcher.suggest("a") == Searcher.FINISHED
    assert [trial.key for trial in storage.plan()] == [planned.key]


def test_storage_that_does_not_take_the_plan_ends_the_handing_out(
    session: Session, storage: SweepStorage, small_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PATIENCE_SECONDS", 0.1)
    more = [PlannedTrial(1, {}, small_config(seed=5))]
    board = Board(storage, ())
    searcher = PlanSearcher(session, [], Suggests(more), board, options={}, retries=2, packing=ALONE)
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


@pytest.fixture
def four(small_config: Any) -> list[PlannedTrial]:
    return [PlannedTrial(seed, {}, small_config(seed=seed)) for seed in range(4)]


@pytest.fixture
def packed(tmp_path: Path, four: list[PlannedTrial]) -> Iterator[tuple[PlanSearcher, SweepStorage]]:
    storage = SweepStorage(Folder(tmp_path), "four")
    storage.create(Decided.of({"name": "four"}, four, {}))
    with Session(storage, "test") as session:
        board, packing = Board(storage, storage.record().trials), Packing(Resources(packing=3), at_once=1)
        yield PlanSearcher(session, four, None, board, options={}, retries=0, packing=packing), storage


def planned_in(suggested: Any) -> list[PlannedTrial]:
    return [PlannedTrial.from_json(one) for one in suggested["planned"]]


def states(storage: SweepStorage) -> list[TrialState]:
    return [trial.state for trial in storage.record().trials]


def test_a_trial_that_ends_before_its_pack_is_closed_at_once(
    packed: tuple[PlanSearcher, SweepStorage], four: list[PlannedTrial]
) -> None:
    searcher, storage = packed
    suggested: Any = searcher.suggest("a")
    assert planned_in(suggested) == four[:3]
    assert suggested["slots"] == 3
    for trial in four[:3]:
        storage.trial(trial.key).begin_attempt(packed_attempt(pid=1))
    storage.trial(four[1].key).write_outcome(TrialState.FAILED, "NonFiniteError: NaN")
    told = [{"key": trial.key, "over": trial is four[1], "outcome": None} for trial in four[:3]]
    searcher.on_trial_result("a", {"trials": told})
    searcher.prune("a", four[2].key)
    assert states(storage)[:3] == [TrialState.RUNNING, TrialState.FAILED, TrialState.PRUNED]
    searcher.on_trial_complete("a", {"trials": [{"key": four[0].key, "over": True, "outcome": "COMPLETE"}]})
    last: Any = searcher.suggest("b")
    assert (planned_in(last), last["slots"]) == ([four[3]], None)


def test_trials_whose_pack_died_too_often_go_on_alone(
    packed: tuple[PlanSearcher, SweepStorage], four: list[PlannedTrial]
) -> None:
    """One of them may need more memory than there is for three."""
    searcher, storage = packed
    searcher.suggest("a")
    for trial in four[:3]:
        storage.trial(trial.key).begin_attempt(packed_attempt(pid=1))
    searcher.on_trial_complete("a", error=True)
    assert states(storage)[:3] == [TrialState.RUNNING] * 3
    for trial in four[:3]:
        suggested: Any = searcher.suggest(trial.key)
        assert (planned_in(suggested), suggested["slots"]) == ([trial], None)
    storage.trial(four[1].key).begin_attempt(attempt(2))
    searcher.on_trial_complete(four[1].key, error=True)
    error = storage.trial(four[1].key).record(four[1]).error
    assert error == "its worker died 1 times; see the attempts in the record"


def packed_attempt(pid: int) -> Attempt:
    return attempt(pid).model_copy(update={"provenance": {"pack_slots": 3}})
