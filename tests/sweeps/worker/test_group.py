"""Trials that train together in one worker, without Ray."""

from pathlib import Path
from typing import Any

import pytest
import torch

from support.workplace import worker_options
from sweeps.worker.group import TrialGroup
from tracking.files.folder import Folder
from tracking.records.records import PlannedTrial, TrialRecord, TrialState
from tracking.reproduction import reproduce
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage


@pytest.fixture
def plan(small_config: Any) -> list[PlannedTrial]:
    """Three seeds, of which the second meets a learning rate that no training survives."""
    rates = (1e-3, 1e30, 1e-2)
    configs = [small_config(seed=seed, optimizer={"lr": rate}) for seed, rate in enumerate(rates)]
    return [PlannedTrial(index, {}, config) for index, config in enumerate(configs)]


@pytest.fixture
def storage(tmp_path: Path, plan: list[PlannedTrial]) -> SweepStorage:
    return stored(tmp_path / "storage", plan)


def stored(folder: Path, plan: list[PlannedTrial]) -> SweepStorage:
    storage = SweepStorage(Folder(folder), "packed")
    storage.create(Decided.of({"name": "packed"}, plan, {}))
    return storage


def run(group: TrialGroup) -> list[dict[str, Any]]:
    results = [group.step()]
    while not results[-1]["done"]:
        results.append(group.step())
    return results


def record(storage: SweepStorage, planned: PlannedTrial) -> TrialRecord:
    return storage.trial(planned.key).record(planned)


def numbers(trial: TrialRecord) -> list[dict[str, float]]:
    """All that bits decide."""
    measured = [*(epoch.metrics for epoch in trial.history), trial.final or {}]
    unlike = ("time/", "throughput/", "system/")
    return [{name: v for name, v in one.items() if not name.startswith(unlike)} for one in measured]


def test_a_nan_fails_one_trial_of_a_pack(storage: SweepStorage, plan: list[PlannedTrial]) -> None:
    results = run(TrialGroup(worker_options(storage, cpus=1), plan, 3))
    assert [len(result["trials"]) for result in results] == [3, 2, 2, 2]
    states = [record(storage, planned).state for planned in plan]
    assert states == [TrialState.COMPLETE, TrialState.FAILED, TrialState.COMPLETE]
    assert (record(storage, plan[1]).error or "").startswith("NonFiniteError: ")
    first = record(storage, plan[0])
    assert first.timing == {"shared": True, "reason": "trained in a pack of 3"}
    (attempt,) = first.attempts
    assert attempt is not None
    assert (attempt.slots, attempt.cpus) == (3, pytest.approx(1 / 3))


def test_a_trial_of_a_pack_that_is_trained_again_is_the_same_to_the_bit(
    storage: SweepStorage, plan: list[PlannedTrial]
) -> None:
    run(TrialGroup(worker_options(storage), [plan[0], plan[2]], 3))
    sweep = storage.record()
    again = reproduce(sweep, sweep.trials[2])
    assert (again.verdict, again.environment["pack_slots"]) == ("BITWISE", 3)


def test_a_pack_whose_worker_was_killed_goes_on_to_the_same_bits(
    storage: SweepStorage, plan: list[PlannedTrial], tmp_path: Path
) -> None:
    plan = [plan[0], plan[2]]
    run(TrialGroup(worker_options(storage), plan, 2))
    other = stored(tmp_path / "other", plan)
    killed = TrialGroup(worker_options(other), plan, 2)
    killed.step()
    killed.step()
    alone = TrialGroup(worker_options(other), plan[:1], 2)  # its neighbour is elsewhere
    run(alone)
    run(TrialGroup(worker_options(other), plan, 2))
    for planned in plan:
        assert record(other, planned).state is TrialState.COMPLETE
        assert numbers(record(other, planned)) == numbers(record(storage, planned))


def test_a_trial_that_the_scheduler_ended_leaves_its_pack(
    storage: SweepStorage, plan: list[PlannedTrial]
) -> None:
    plan = [plan[0], plan[2]]
    group = TrialGroup(worker_options(storage, early_stopping=True), plan, 2)
    group.step()
    storage.trial(plan[1].key).write_outcome(TrialState.PRUNED)
    results = run(group)
    assert {told["key"] for result in results for told in result["trials"]} == {plan[0].key}
    assert record(storage, plan[0]).state is TrialState.COMPLETE
    pruned = record(storage, plan[1])
    assert (pruned.state, len(pruned.history)) == (TrialState.PRUNED, 1)


def test_a_pack_without_memory_is_dissolved(
    storage: SweepStorage, plan: list[PlannedTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [plan[0], plan[2]]
    group = TrialGroup(worker_options(storage), plan, 2)
    group.step()
    pack = group._pack
    assert pack is not None

    def no_room(trainers: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(pack, "train_epoch", no_room)
    run(group)
    for planned in plan:
        trial = record(storage, planned)
        assert trial.state is TrialState.COMPLETE
        assert [attempt.slots for attempt in trial.attempts if attempt] == [2, 1]
        assert [epoch.epoch for epoch in trial.history] == [1, 2, 3, 4]


def test_a_pack_that_is_stopped_goes_on_to_the_same_bits(
    storage: SweepStorage, plan: list[PlannedTrial], tmp_path: Path
) -> None:
    plan = [plan[0], plan[2]]
    run(TrialGroup(worker_options(storage), plan, 2))
    other = stored(tmp_path / "other", plan)
    group = TrialGroup(worker_options(other), plan, 2)
    group.step()
    other.request_stop("test")
    for trial in group._trials:
        assert trial._trainer is not None
        trial._trainer.stop()
    assert [told["outcome"] for told in run(group)[-1]["trials"]] == ["STOPPED", "STOPPED"]
    other.clear_stop()
    run(TrialGroup(worker_options(other), plan, 2))
    for planned in plan:
        assert numbers(record(other, planned)) == numbers(record(storage, planned))
