import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae.errors import ConfigError
from sweeps.plan.plan import draw_plan, extend_plan, trials_of
from sweeps.spec.spec import SweepSpec, with_seed
from tracking.records.records import PlannedTrial

SPACE = {
    "objective.num_samples": {"choice": [1, 5, 20]},
    "optimizer.lr": {"loguniform": [1e-4, 1e-2]},
    "annealing": {"choice": [{"name": "none"}, {"name": "linear", "warmup_epochs": {"int": [5, 20]}}]},
}
K_GRID = {"objective.num_samples": {"grid": [1, 5, 20]}}


def spec_of(space: dict[str, Any], sampler: str = "grid", seed: int = 0, **search: Any) -> SweepSpec:
    return SweepSpec.parse(
        {
            "name": "demo",
            "base": {"data": {"name": "digits"}},
            "search": {"space": space, "sampler": {"name": sampler, "seed": seed}, **search},
        }
    )


def keys(plan: list[PlannedTrial]) -> list[str]:
    return [trial.key for trial in plan]


def test_every_configuration_runs_with_the_first_seed_before_any_with_the_second() -> None:
    plan = draw_plan(spec_of(K_GRID, seeds=[7, 3]))
    assert [(t.config.seed, t.config.objective.num_samples) for t in plan] == [
        (7, 1),
        (7, 5),
        (7, 20),
        (3, 1),
        (3, 5),
        (3, 20),
    ]
    assert [trial.index for trial in plan] == list(range(6))


def test_overrides_hold_what_the_space_set_and_not_the_seed() -> None:
    plan = draw_plan(spec_of({**K_GRID, "annealing": {"grid": [{"name": "linear", "warmup_epochs": 3}]}}))
    assert plan[1].overrides == {
        "objective.num_samples": 5,
        "annealing": {"name": "linear", "warmup_epochs": 3},
    }


def test_a_line_of_the_plan_gives_the_trial_again() -> None:
    for trial in draw_plan(spec_of(SPACE, "random", num_trials=5)):
        assert PlannedTrial.from_json(trial.to_json()) == trial


@given(
    sampler=st.sampled_from(["random", "qmc"]),
    seed=st.integers(0, 2**32 - 1),
    number=st.integers(1, 40),
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=15, deadline=None)
def test_a_drawn_plan_is_complete_unique_and_the_same_every_time(
    sampler: str, seed: int, number: int, seeds: list[int]
) -> None:
    spec = spec_of(SPACE, sampler, seed, num_trials=number, seeds=seeds)
    plan = draw_plan(spec)
    assert len(plan) == len(set(keys(plan))) == number * len(seeds)
    assert draw_plan(SweepSpec.parse(spec.to_dict())) == plan
    for trial in plan:
        assert with_seed(spec.configuration(trial.overrides), trial.config.seed) == trial.config
        assert spec.space.locate(trial.overrides) is not None


@given(sampler=st.sampled_from(["random", "qmc"]), few=st.integers(1, 30), more=st.integers(1, 100))
@settings(max_examples=10, deadline=None)
def test_more_trials_begin_with_the_fewer_ones(sampler: str, few: int, more: int) -> None:
    short = draw_plan(spec_of(SPACE, sampler, num_trials=few))
    long = draw_plan(spec_of(SPACE, sampler, num_trials=few + more))
    assert keys(long)[:few] == keys(short)


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_another_sampler_seed_draws_other_configurations(sampler: str) -> None:
    first, second = (draw_plan(spec_of(SPACE, sampler, seed, num_trials=8)) for seed in (0, 1))
    assert not set(keys(first)) & set(keys(second))


def test_qmc_covers_a_range_more_evenly_than_chance() -> None:
    space = {"objective.beta": {"uniform": [0.0, 1.0]}}
    drawn = sorted(t.overrides["objective.beta"] for t in draw_plan(spec_of(space, "qmc", num_trials=64)))
    # A Sobol sequence puts exactly one of its first 64 points into each 64th.
    assert [int(value * 64) for value in drawn] == list(range(64))


def test_a_random_plan_follows_the_distributions() -> None:
    plan = draw_plan(spec_of(SPACE, "random", num_trials=600))
    shares = [sum(t.config.objective.num_samples == k for t in plan) / 600 for k in (1, 5, 20)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.08)
    below = sum(t.config.optimizer.lr < 1e-3 for t in plan) / 600
    assert below == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_small_space_is_planned_once_and_said_to_be_small(
    sampler: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        plan = draw_plan(spec_of(K_GRID, sampler, num_trials=10))
    assert sorted(t.config.objective.num_samples for t in plan) == [1, 5, 20]
    assert caplog.messages == ["search.num_trials is 10, but the space holds only 3 different configurations"]


def test_a_grid_plans_a_configuration_once_although_two_options_lead_to_it() -> None:
    space = {
        "annealing": {
            "grid": [{"name": "linear"}, {"name": "linear", "warmup_epochs": {"grid": [5, 10, 20]}}]
        }
    }
    warm_ups = [trial.config.flat()["annealing.warmup_epochs"] for trial in draw_plan(spec_of(space))]
    assert warm_ups == [10, 5, 20]


def test_an_empty_space_is_one_configuration() -> None:
    plan = draw_plan(spec_of({}, seeds=[0, 1]))
    assert [(trial.overrides, trial.config.seed) for trial in plan] == [({}, 0), ({}, 1)]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_model_based_sampler_has_no_plan_yet(sampler: str) -> None:
    assert draw_plan(spec_of(SPACE, sampler, num_trials=4)) == []


def test_trials_of_a_configuration_are_its_seeds_in_order() -> None:
    trials = trials_of(spec_of(K_GRID, seeds=[4, 2]), {"objective.num_samples": 5}, first_index=10)
    assert [(t.index, t.config.seed) for t in trials] == [(10, 4), (11, 2)]
    assert len({t.configuration_key for t in trials}) == 1


def test_new_seeds_and_grid_values_are_planned_behind_the_old_ones() -> None:
    old = draw_plan(spec_of(K_GRID, seeds=[0]))
    new = extend_plan(old, spec_of({"objective.num_samples": {"grid": [1, 3, 5, 20]}}, seeds=[0, 1]))
    assert new[:3] == old
    assert [(t.index, t.config.seed, t.config.objective.num_samples) for t in new[3:]] == [
        (3, 0, 3),
        (4, 1, 1),
        (5, 1, 3),
        (6, 1, 5),
        (7, 1, 20),
    ]


def test_extending_by_nothing_changes_nothing_and_twice_is_as_good_as_once() -> None:
    old = draw_plan(spec_of(SPACE, "random", num_trials=5))
    assert extend_plan(old, spec_of(SPACE, "random", num_trials=5)) == old
    larger = spec_of(SPACE, "random", num_trials=9, seeds=[0, 1])
    once = extend_plan(old, larger)
    assert once[:5] == old
    assert len(once) == 18
    assert extend_plan(once, larger) == once


def test_a_new_path_that_includes_the_base_is_named_by_the_old_trials_too() -> None:
    old = draw_plan(spec_of(K_GRID))
    new = extend_plan(old, spec_of({**K_GRID, "model.latent_dim": {"grid": [10, 20]}}))
    assert keys(new)[:3] == keys(old)
    assert new[0].overrides == {"objective.num_samples": 1, "model.latent_dim": 20}
    assert [t.config.model.latent_dim for t in new[3:]] == [10, 10, 10]


@pytest.mark.parametrize(
    "changed",
    [
        spec_of({"objective.num_samples": {"grid": [1, 5]}}),
        spec_of(K_GRID, seeds=[1]),
        spec_of({**K_GRID, "model.latent_dim": {"grid": [10]}}),
        SweepSpec.parse({**spec_of(K_GRID).to_dict(), "base": {"data": {"name": "digits"}, "batch_size": 7}}),
    ],
)
def test_extending_refuses_to_lose_or_change_a_trial(changed: SweepSpec) -> None:
    with pytest.raises(
        ConfigError, match=r"^search: would lose or change trial \d \(objective\.num_samples="
    ):
        extend_plan(draw_plan(spec_of(K_GRID)), changed)


def test_extending_a_model_based_sweep_adds_seeds_to_what_was_suggested() -> None:
    spec = spec_of(SPACE, "tpe", num_trials=4)
    point = {"objective.num_samples": 5, "optimizer.lr": 1e-3, "annealing": {"name": "none"}}
    old = trials_of(spec, point, 0)
    new = extend_plan(old, spec_of(SPACE, "tpe", num_trials=8, seeds=[0, 5]))
    assert [(t.index, t.config.seed) for t in new] == [(0, 0), (1, 5)]
    with pytest.raises(ConfigError, match=r"^search: would lose or change trial 0"):
        extend_plan(old, spec_of({**SPACE, "optimizer.lr": {"uniform": [0.1, 0.2]}}, "tpe", num_trials=4))


def refused(line: str, base: dict[str, Any] | None = None, **search: Any) -> None:
    with pytest.raises(ConfigError, match=line):
        SweepSpec.parse({"name": "a", "base": {"data": {"name": "digits"}, **(base or {})}, "search": search})


def test_the_first_point_that_is_no_configuration_is_named() -> None:
    refused(
        r"^search\.space: the point objective\.num_samples=5, objective\.free_bits=0\.1 is not allowed:"
        r" objective\.free_bits: 0\.1 is not allowed: must be 0 when num_samples > 1",
        base={"objective": {"name": "vae"}},
        space={"objective.num_samples": {"grid": [1, 5]}, "objective.free_bits": {"grid": [0.0, 0.1]}},
    )


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "gp", "cmaes"])
def test_a_corner_that_is_no_configuration_is_found_whatever_draws(sampler: str) -> None:
    refused(
        r"^search\.space: the point num_epochs=.* is not allowed: annealing\.warmup_epochs: \d+ is not"
        r" allowed: must be <= num_epochs",
        base={"annealing": {"name": "linear"}},
        space={"num_epochs": {"int": [10, 1000]}, "annealing.warmup_epochs": {"int": [1, 11]}},
        sampler={"name": sampler},
        num_trials=3,
    )


def test_values_that_only_suit_each_other_are_allowed() -> None:
    spec = SweepSpec.parse(
        {
            "name": "a",
            "base": {"num_epochs": 5},
            "search": {
                "space": {
                    "num_epochs": {"grid": [20, 40]},
                    "annealing": {"grid": [{"name": "linear", "warmup_epochs": 20}]},
                }
            },
        }
    )
    assert len(draw_plan(spec)) == 2


def test_a_grid_refuses_ranges_and_names_who_can_draw_from_them() -> None:
    refused(
        r"^search\.space\.annealing\.grid\[0\]\.start\.uniform: not allowed with sampler grid, which cannot"
        r" enumerate a range: must be \{grid: \[\.\.\.\]\}, or"
        r" search\.sampler\.name random, qmc, tpe, gp or cmaes$",
        space={"annealing": {"grid": [{"name": "linear", "start": {"uniform": [0, 0.5]}}]}},
    )


def test_a_grid_too_large_to_plan_is_refused_before_it_is_drawn() -> None:
    refused(
        r"^search\.space: a grid of 1000000000 trials is not allowed: must be <= 10000$",
        space={
            "model.latent_dim": {"int": [1, 1000]},
            "objective.num_samples": {"int": [1, 1000]},
            "batch_size": {"int": [1, 1000]},
        },
    )


def test_a_sampler_needs_something_to_draw() -> None:
    refused(
        r"^search\.space: \{\} is not allowed: must vary something when search.sampler.name is random$",
        space={},
        sampler={"name": "random"},
        num_trials=3,
    )


def test_cma_es_needs_a_number_to_move() -> None:
    refused(
        r"^search\.sampler\.name: cmaes is not allowed: must be grid, random, qmc, tpe or gp when no path of"
        r" search\.space is a range \(uniform, loguniform or int\)",
        space=K_GRID,
        sampler={"name": "cmaes"},
        num_trials=3,
    )


def test_different_data_may_be_listed_side_by_side_but_not_ranked_by_a_model() -> None:
    space = {"data.binarization": {"grid": ["dynamic", "fixed"]}}
    assert len(draw_plan(spec_of(space))) == 2
    line = (
        r"^search\.space: data or likelihood vary, and {} would compare NLLs of different data: must be one"
    )
    refused(line.format("sampler tpe"), space=space, sampler={"name": "tpe"}, num_trials=3)
    with pytest.raises(ConfigError, match=line.format("asha")):
        SweepSpec.parse({**spec_of(space).to_dict(), "scheduler": {"name": "asha"}})
