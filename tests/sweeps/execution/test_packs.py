"""Which trials train together."""

from typing import Any

import pytest

from sweeps.execution.packs import Packing, Together, in_words
from sweeps.spec.resources import Resources
from tracking.records.records import PlannedTrial, TrialRecord, TrialState
from tracking.records.shapes import Attempt


@pytest.fixture
def trials(small_config: Any) -> list[PlannedTrial]:
    """Of two K's, six seeds each, in the order of a plan."""
    return [
        PlannedTrial(index, {}, small_config(objective={"num_samples": k}, seed=seed))
        for index, (k, seed) in enumerate((k, seed) for k in (1, 5) for seed in range(6))
    ]


def packs(packing: Any, at_once: int, trials: list[PlannedTrial], *begun: TrialRecord) -> list[list[int]]:
    return [[trial.index for trial in group.trials] for group in groups(packing, at_once, trials, *begun)]


def groups(packing: Any, at_once: int, trials: list[PlannedTrial], *begun: TrialRecord) -> list[Together]:
    return Packing(Resources(packing=packing), at_once, begun).announce(trials)


def begun(trial: PlannedTrial, slots: int | None) -> TrialRecord:
    provenance = {"torch": "2"} if slots is None else {"torch": "2", "pack_slots": slots}
    return TrialRecord(trial, TrialState.STOPPED, attempts=(Attempt(started=0.0, provenance=provenance),))


def test_without_packing_each_trial_is_alone(trials: list[PlannedTrial]) -> None:
    assert packs("off", 2, trials) == [[index] for index in range(12)]
    assert {group.slots for group in groups("off", 2, trials)} == {None}


def test_a_pack_holds_one_k_and_the_order_of_the_plan(trials: list[PlannedTrial]) -> None:
    assert packs(4, 1, trials) == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11]]


def test_trials_of_a_pack_need_not_be_neighbours_in_the_plan(trials: list[PlannedTrial]) -> None:
    mixed = [trials[index] for index in (0, 6, 1, 7)]
    assert packs(2, 1, mixed) == [[0, 1], [6, 7]]


def test_auto_packs_where_that_pays_and_no_core_idles(trials: list[PlannedTrial], small_config: Any) -> None:
    alone = [[index] for index in range(12)]
    assert packs("auto", 2, trials) == [[0, 1, 2, 3, 4, 5], *alone[6:]]
    assert packs("auto", 1, trials) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert packs("auto", 2, trials[:6]) == alone[:6]
    large = [PlannedTrial(s, {}, small_config(objective={"num_samples": 500}, seed=s)) for s in range(6)]
    assert packs("auto", 1, large) == alone[:6]
    many = [PlannedTrial(seed, {}, small_config(seed=seed)) for seed in range(18)]
    assert [len(pack) for pack in packs("auto", 1, many)] == [6, 6, 6]


def test_a_trial_that_began_goes_on_in_a_pack_of_the_same_size(trials: list[PlannedTrial]) -> None:
    """Its bits depend on the number of slots."""
    before = [begun(trials[0], 3), begun(trials[1], None), begun(trials[2], 3), begun(trials[3], 4)]
    found = groups(2, 1, trials[:6], *before)
    assert [([trial.index for trial in group.trials], group.slots) for group in found] == [
        ([0, 2], 3),
        ([1], None),
        ([3], 4),
        ([4, 5], 2),
    ]
    assert packs("off", 1, trials[:4], *before) == [[0, 2], [1], [3]]


def test_a_trial_that_is_let_alone_joins_no_pack(trials: list[PlannedTrial]) -> None:
    packing = Packing(Resources(packing=3), 1)
    pending = trials[:3]
    assert packing.take(pending).slots == 3
    assert packing.let_alone(trials[1])
    assert not packing.let_alone(trials[1])
    assert packing.take([trials[0], trials[1], trials[2]]).trials == [trials[0], trials[2]]
    assert packing.take([trials[1], trials[3]]) == Together([trials[1]], None)


def test_what_cannot_be_packed_is_alone(small_config: Any) -> None:
    """A minibatch in chunks is computed one part after another."""
    chunked = [PlannedTrial(seed, {}, small_config(chunk_size=10, seed=seed)) for seed in range(2)]
    assert packs(2, 1, chunked) == [[0], [1]]


def test_packs_in_words(trials: list[PlannedTrial]) -> None:
    assert in_words(groups("off", 1, trials)) == "every trial alone"
    assert in_words(groups(3, 1, trials)) == "4 packs of 3 trials"
    assert in_words(groups(5, 1, trials)) == "2 packs of 5 trials, 2 trials alone"
    assert in_words(groups(4, 1, trials)) == "4 packs of 2 to 4 trials"
    assert in_words(groups(6, 1, trials[:7])) == "1 pack of 6 trials, 1 trial alone"
