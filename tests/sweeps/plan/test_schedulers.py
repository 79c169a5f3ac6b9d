from dataclasses import dataclass
from typing import Any

import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule

from iwae.errors import ConfigError
from sweeps.plan.schedulers import ray_scheduler
from sweeps.spec.spec import SweepSpec


@dataclass(frozen=True)
class Trial:
    trial_id: str


LINEAR = {"name": "linear", "warmup_epochs": {"grid": [2, 6]}}


def spec_of(
    scheduler: dict[str, Any], space: dict[str, Any] | None = None, *, every: int = 1, **base: Any
) -> SweepSpec:
    return SweepSpec.parse(
        {
            "name": "demo",
            "base": {"data": {"name": "digits"}, "num_epochs": 20, "evaluation": {"every": every}, **base},
            "search": {"space": space or {"objective.num_samples": {"grid": [1, 5]}}},
            "scheduler": scheduler,
        }
    )


def refused(line: str, *arguments: Any, **base: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        spec_of(*arguments, **base)
    assert str(caught.value) == line


def play(scheduler: Any, curves: dict[str, list[float]]) -> dict[str, int]:
    """The epoch after which each curve was ended, all of them shown side by side."""
    scheduler.set_search_properties("score", "min")
    trials = {name: Trial(name) for name in curves}
    for trial in trials.values():
        scheduler.on_trial_add(None, trial)
    ended: dict[str, int] = {}
    for epoch in range(1, max(map(len, curves.values())) + 1):
        for name, curve in curves.items():
            if name not in ended:
                result = {"epoch": epoch, "score": curve[epoch - 1]}
                decision = scheduler.on_trial_result(None, trials[name], result)
                assert decision in ("STOP", "CONTINUE")
                if decision == "STOP":
                    ended[name] = epoch
    return ended


def curves_of(levels: list[float], epochs: int = 20) -> dict[str, list[float]]:
    return {str(level): [level] * epochs for level in levels}


def test_none_lets_every_trial_run() -> None:
    scheduler = ray_scheduler(spec_of({"name": "none"}))
    assert type(scheduler) is FIFOScheduler
    assert spec_of({"name": "none"}).grace_epochs == 20


def test_asha_ends_the_worse_at_its_rungs_and_the_best_at_the_last_epoch() -> None:
    scheduler = ray_scheduler(spec_of({"name": "asha", "grace_epochs": 2, "reduction_factor": 3}))
    assert isinstance(scheduler, AsyncHyperBandScheduler)
    ended = play(scheduler, curves_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    assert ended["1.0"] == 20
    assert set(ended.values()) <= {2, 6, 18, 20}
    assert ended["6.0"] == 2


def test_asha_ends_nothing_before_the_longest_warm_up() -> None:
    spec = spec_of({"name": "asha"}, {"annealing": {"grid": [{"name": "none"}, LINEAR]}})
    assert spec.grace_epochs == 6
    ended = play(ray_scheduler(spec), curves_of([1.0, 2.0, 3.0, 4.0]))
    assert min(ended.values()) == 6


def test_median_stopping_ends_what_is_worse_than_the_median_after_the_grace() -> None:
    scheduler = ray_scheduler(spec_of({"name": "median", "grace_epochs": 5, "min_trials": 2}))
    assert isinstance(scheduler, MedianStoppingRule)
    ended = play(scheduler, curves_of([1.0, 2.0, 9.0]))
    assert ended == {"9.0": 5}


@pytest.mark.parametrize(
    ("space", "base", "grace"),
    [
        ({}, {}, 1),
        ({}, {"every": 4}, 4),
        ({}, {"annealing": {"name": "linear", "warmup_epochs": 7}}, 7),
        ({}, {"annealing": {"name": "linear", "warmup_epochs": 7}, "every": 2}, 8),
        ({"annealing": {"grid": [{"name": "none"}, LINEAR]}}, {}, 6),
        ({"annealing": {"grid": [{"name": "none"}, LINEAR]}}, {"every": 5}, 10),
        ({"annealing": {"grid": [{"name": "sigmoid"}]}}, {}, 10),
        ({"annealing.warmup_epochs": {"grid": [3, 9]}}, {"annealing": {"name": "linear"}}, 9),
        ({"annealing.start": {"grid": [0.1, 0.2]}}, {"annealing": {"name": "linear"}}, 10),
    ],
)
def test_the_default_grace_is_the_longest_warm_up_in_whole_evaluations(
    space: dict[str, Any], base: dict[str, Any], grace: int
) -> None:
    assert spec_of({"name": "median"}, space, **base).grace_epochs == grace


def test_the_longest_warm_up_of_a_range_is_its_upper_end() -> None:
    spec = SweepSpec.parse(
        {
            "name": "a",
            "search": {
                "space": {
                    "annealing": {
                        "choice": [{"name": "linear", "warmup_epochs": {"int": [5, 13], "step": 3}}]
                    }
                },
                "sampler": {"name": "tpe"},
                "num_trials": 3,
            },
            "scheduler": {"name": "asha"},
        }
    )
    assert spec.grace_epochs == 11


def test_a_grace_shorter_than_a_warm_up_is_refused() -> None:
    refused(
        "scheduler.grace_epochs: 5 is not allowed: must be >= 6, the longest warm-up in the space",
        {"name": "asha", "grace_epochs": 5},
        {"annealing": {"grid": [LINEAR]}},
    )


def test_a_grace_between_two_evaluations_is_refused() -> None:
    refused(
        "scheduler.grace_epochs: 5 is not allowed: must be a multiple of base.evaluation.every (2)",
        {"name": "median", "grace_epochs": 5},
        every=2,
    )


def test_a_grace_that_leaves_nothing_to_stop_is_refused() -> None:
    refused(
        "scheduler.grace_epochs: 20 is not allowed: must be < base.num_epochs (20),"
        " and >= 20, the longest warm-up",
        {"name": "asha"},
        annealing={"name": "linear", "warmup_epochs": 20},
    )


@pytest.mark.parametrize("name", ["asha", "median"])
def test_cyclical_schedules_are_refused_in_the_space_and_in_the_base(name: str) -> None:
    line = (
        f"scheduler.name: {name} is not allowed: must be none with cyclical annealing, whose curves cross at"
        " every restart"
    )
    refused(line, {"name": name}, {"annealing": {"grid": [{"name": "none"}, {"name": "cyclical"}]}})
    refused(line, {"name": name}, annealing={"name": "cyclical"})


def test_a_base_with_a_cycle_does_not_matter_when_the_space_replaces_it() -> None:
    spec = spec_of({"name": "asha"}, {"annealing": {"grid": [LINEAR]}}, annealing={"name": "cyclical"})
    assert spec.grace_epochs == 6


def test_trials_of_different_length_are_not_compared_early() -> None:
    refused(
        "search.space.num_epochs: not allowed with scheduler asha, which compares trials at the same epoch of"
        " the same schedule: must be set in base.num_epochs, or scheduler.name none",
        {"name": "asha"},
        {"num_epochs": {"grid": [10, 20]}},
    )


def test_brackets_beyond_the_rungs_are_refused() -> None:
    assert spec_of({"name": "asha", "grace_epochs": 2, "brackets": 3}).scheduler.name == "asha"
    refused(
        "scheduler.brackets: 4 is not allowed: must be <= 3: there are 3 rungs between 2 and 20 epochs",
        {"name": "asha", "grace_epochs": 2, "brackets": 4},
    )


@pytest.mark.parametrize(
    ("scheduler", "line"),
    [
        (
            {"name": "hyperband"},
            "scheduler.name: hyperband is not allowed: must be one of none, asha, median",
        ),
        ({"name": "asha", "min_trials": 3}, "scheduler.min_trials: unknown key"),
        (
            {"name": "asha", "reduction_factor": 1},
            "scheduler.reduction_factor: 1 is not allowed: must be >= 2",
        ),
        ({"name": "asha", "brackets": 0}, "scheduler.brackets: 0 is not allowed: must be >= 1"),
        ({"name": "median", "min_trials": 0}, "scheduler.min_trials: 0 is not allowed: must be >= 1"),
        ({"name": "asha", "grace_epochs": 0}, "scheduler.grace_epochs: 0 is not allowed: must be >= 1"),
        ({}, "scheduler.name: missing"),
    ],
)
def test_a_wrong_scheduler_gets_one_line(scheduler: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        spec_of(scheduler)
    assert str(caught.value).startswith(line)
