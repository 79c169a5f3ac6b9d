from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.plan.plan import draw_plan
from sweeps.plan.samplers import Suggester
from sweeps.space.choosers import Point
from sweeps.space.space import Space, parse_space
from sweeps.spec.spec import SweepSpec

SPACE = {
    "data.name": {"grid": ["digits", "mnist", "omniglot"]},
    "objective.num_samples": {"grid": [1, 5], "when": {"data.name": ["digits", "mnist"]}},
    "annealing": {"grid": [{"name": "none"}, {"name": "linear"}, {"name": "linear", "start": 0.5}]},
    "optimizer.lr": {"choice": [1e-3, 2e-3], "when": {"annealing.warmup_epochs": 10, "data.name": "digits"}},
}


def space_of(raw: dict[str, Any]) -> Space:
    return parse_space(raw, TrainConfig())


def spec(sampler: str, space: dict[str, Any] = SPACE, **search: Any) -> dict[str, Any]:
    return {
        "name": "a",
        "base": {"num_epochs": 20},
        "search": {"space": space, "sampler": {"name": sampler}, "seeds": [0], **search},
    }


def test_an_entry_applies_only_where_its_condition_holds() -> None:
    """A linear schedule has 10 warm-up epochs where an option says nothing."""
    space = space_of(SPACE)
    found = [{path: point[path] for path in point if path != "annealing"} for point in space.points()]
    digits = [
        {"data.name": "digits", "objective.num_samples": k, **rate}
        for k in (1, 5)
        for rate in ({}, *2 * ({"optimizer.lr": 1e-3}, {"optimizer.lr": 2e-3}))
    ]
    mnist = [{"data.name": "mnist", "objective.num_samples": k} for k in (1, 5) for _ in range(3)]
    assert found == [*digits, *mnist, *3 * [{"data.name": "omniglot"}]]
    assert space.size == len(found) == 19


def test_a_model_that_does_not_say_its_name_is_a_vae() -> None:
    families = [{"latent_dim": 3}, {"name": "vae", "latent_dim": 2}, {"name": "pca", "latent_dim": 3}]
    space = space_of(
        {
            "model": {"grid": families},
            "objective.num_samples": {"grid": [1, 50], "when": {"model.name": "vae"}},
        }
    )
    assert [point.get("objective.num_samples") for point in space.points()] == [1, 50, 1, 50, None]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
def test_a_drawn_point_lies_where_it_was_drawn_and_among_those_of_the_grid(numbers: list[float]) -> None:
    space = space_of(SPACE)
    drawn = space.draw(Point(dict(zip(space.choices, numbers, strict=True))))
    assert drawn in list(space.points())
    assert space.locate(drawn) is not None
    assert space.locate({**drawn, "optimizer.lr": 5.0}) is None
    assert space.locate({**drawn, "data.name": "omniglot", "objective.num_samples": 5}) is None


@pytest.mark.parametrize("sampler", ["grid", "random", "qmc"])
def test_a_sweep_trains_the_base_value_where_an_entry_does_not_apply(sampler: str) -> None:
    plan = draw_plan(SweepSpec.parse(spec(sampler, **({} if sampler == "grid" else {"num_trials": 19}))))
    assert len({trial.key for trial in plan}) == len(plan) == 19
    base = TrainConfig()
    samples = {t.config.objective.num_samples for t in plan if t.config.data.name == "omniglot"}
    assert samples == {base.objective.num_samples}
    assert {t.config.optimizer.lr for t in plan if t.config.annealing.name == "none"} == {base.optimizer.lr}


def test_tpe_suggests_a_parameter_only_where_it_applies() -> None:
    space = {
        "annealing": {"choice": [{"name": "none"}, {"name": "linear"}]},
        "optimizer.lr": {"loguniform": [1e-4, 1e-2], "when": {"annealing.name": "linear"}},
    }
    suggester = Suggester(SweepSpec.parse(spec("tpe", space, num_trials=6)))
    asked = [trial for _ in range(6) for trial in suggester.ask() or []]
    assert len(asked) == 6
    assert [t.config.annealing.name for t in asked].count("none") == 1  # then known, and not trained again
    for trial in asked:
        assert ("optimizer.lr" in trial.overrides) == (trial.config.annealing.name == "linear")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "digits",
            "objective.num_samples.when: digits is not allowed: must be a mapping, as in .model.name: vae",
        ),
        ({}, r"objective.num_samples.when: \{\} is not allowed: must be a mapping"),
        (
            {"model.name": "vae"},
            "when.model.name: not allowed: must be varied by grid or choice, and stand before",
        ),
        ({"annealing": "none"}, "when.annealing: not allowed: must be varied .* and stand before this entry"),
        (
            {"data.name": "wine"},
            "when.data.name: wine is not allowed: must be one of digits, mnist, omniglot",
        ),
        ({"data.name": ["mnist", 3]}, "when.data.name: 3 is not allowed: must be one of digits"),
    ],
)
def test_condition_that_can_never_hold_is_one_line(condition: Any, message: str) -> None:
    raw = {**SPACE, "objective.num_samples": {"grid": [1, 5], "when": condition}}
    with pytest.raises(ConfigError, match=message):
        space_of(raw)


def test_condition_belongs_to_an_entry_of_the_space_itself_and_to_samplers_that_leave_parameters_out() -> (
    None
):
    nested = {"annealing": {"grid": [{"name": "linear", "start": {"grid": [0, 0.5], "when": {"a": 1}}}]}}
    with pytest.raises(ConfigError, match=r"start\.when: unknown key beside grid"):
        space_of(nested)
    with pytest.raises(ConfigError, match="when: not allowed with sampler gp, all of whose points have"):
        SweepSpec.parse(spec("gp", num_trials=5))
