"""Early stopping in packs decides as without packs."""

from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from sweeps.execution.pack_scheduler import PackScheduler
from sweeps.plan.plan import draw_plan
from sweeps.plan.schedulers import ray_scheduler
from sweeps.spec.spec import SweepSpec


def spec(scheduler: dict[str, Any]) -> SweepSpec:
    search = {"space": {"objective.num_samples": {"grid": [1, 2]}}, "seeds": [0, 1, 2, 3]}
    base = {"data": {"name": "digits"}, "num_epochs": 6}
    return SweepSpec.parse({"name": "x", "base": base, "search": search, "scheduler": scheduler})


def nll(place: int, epoch: int) -> float:
    return float((place * 5) % 8) + 1 / epoch


def told(key: str, place: int, epoch: int) -> dict[str, Any]:
    return {"key": key, "epoch": epoch, "score": nll(place, epoch), "over": epoch == 6}


class Pruned(list[tuple[str, int]]):
    """When which trial was ended; the driver's part that writes it down is tested with it."""

    epoch = 0

    def prune(self, trial_id: str, key: str) -> None:
        self.append((key, self.epoch))


def plain_decisions(spec: SweepSpec, keys: list[str]) -> list[tuple[str, int]]:
    """What Tune's scheduler decides when each trial is one of Tune's."""
    scheduler: Any = ray_scheduler(spec)
    scheduler.set_search_properties("score", "min")
    trials, live = {key: Trial(key) for key in keys}, set(keys)
    stopped = []
    for trial in trials.values():
        scheduler.on_trial_add(None, trial)
    for epoch in range(1, 7):
        for place, key in enumerate(keys):
            if key not in live:
                continue
            result = told(key, place, epoch)
            if result["over"]:
                scheduler.on_trial_complete(None, trials[key], result)
            elif scheduler.on_trial_result(None, trials[key], result) == TrialScheduler.STOP:
                scheduler.on_trial_complete(None, trials[key], result)
                stopped.append((key, epoch))
                live.remove(key)
    return stopped


class Trial:
    """As much of Tune's trial as its schedulers use."""

    def __init__(self, trial_id: str, planned: list[str] | None = None) -> None:
        self.trial_id = trial_id
        self.config = {"planned": planned}


@pytest.mark.parametrize("scheduler", [{"name": "asha", "reduction_factor": 2}, {"name": "median"}])
def test_a_pack_loses_the_trials_that_the_scheduler_would_end_alone(scheduler: dict[str, Any]) -> None:
    plan = draw_plan(spec(scheduler))
    keys = [planned.key for planned in plan]
    pruned = Pruned()
    packed = PackScheduler(ray_scheduler(spec(scheduler)), pruned)
    packed.set_search_properties("score", "min")
    pack = Trial("pack", [planned.to_json() for planned in plan])
    packed.on_trial_add(None, pack)
    for epoch in range(1, 6):
        pruned.epoch = epoch
        gone = {key for key, _ in pruned}
        rows = [told(key, place, epoch) for place, key in enumerate(keys) if key not in gone]
        assert packed.on_trial_result(None, pack, {"trials": rows}) == TrialScheduler.CONTINUE
    assert list(pruned) == plain_decisions(spec(scheduler), keys)
    assert 0 < len(pruned) < len(keys)


def test_a_pack_ends_with_its_last_trial() -> None:
    (first, second, *_) = draw_plan(spec({"name": "asha"}))
    packed = PackScheduler(ray_scheduler(spec({"name": "asha"})), Pruned())
    packed.set_search_properties("score", "min")
    pack = Trial("pack", [first.to_json(), second.to_json()])
    packed.on_trial_add(None, pack)
    assert packed.on_trial_result(None, pack, {"trials": [told(first.key, 0, 6)]}) == TrialScheduler.CONTINUE
    assert packed.on_trial_result(None, pack, {"trials": [told(second.key, 1, 6)]}) == TrialScheduler.STOP
    packed.on_trial_complete(None, pack, {"trials": []})
