import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae.config.train import TrainConfig
from sweeps.space.choosers import Point
from sweeps.space.paths import paths
from sweeps.space.space import Space, merge, parse_space
from sweeps.spec.spec import SweepSpec

CONDITIONAL = {
    "objective.num_samples": {"int": [1, 64], "log": True},
    "optimizer.lr": {"loguniform": [1e-4, 1e-2]},
    "annealing": {
        "choice": [
            {"name": "none"},
            {"name": "linear", "warmup_epochs": {"int": [5, 20]}, "start": {"uniform": [0.0, 0.5]}},
            {"name": "cyclical", "cycles": {"grid": [2, 4]}},
        ]
    },
    "model.hidden_dims": {"choice": [[400], [200, 200]]},
}


def space_of(raw: dict[str, Any], **base: Any) -> Space:
    return parse_space(raw, TrainConfig.parse(base))


def point(space: Space, numbers: list[float]) -> dict[str, Any]:
    names = list(space.choices)
    return space.draw(Point({name: numbers[i % len(numbers)] for i, name in enumerate(names)}))


def test_a_grid_is_every_combination_with_the_first_path_slowest() -> None:
    space = space_of({"objective.num_samples": {"grid": [1, 5]}, "model.latent_dim": {"choice": [2, 3]}})
    assert [tuple(found.values()) for found in space.points()] == [(1, 2), (1, 3), (5, 2), (5, 3)]
    assert space.size == 4


def test_parameters_of_a_part_are_combined_below_their_own_option_only() -> None:
    space = space_of(
        {"annealing": {"grid": [{"name": "none"}, {"name": "linear", "warmup_epochs": {"grid": [5, 10]}}]}}
    )
    assert [found["annealing"] for found in space.points()] == [
        {"name": "none"},
        {"name": "linear", "warmup_epochs": 5},
        {"name": "linear", "warmup_epochs": 10},
    ]
    assert space.size == 3


def test_whole_numbers_can_be_enumerated() -> None:
    space = space_of({"model.latent_dim": {"int": [2, 11], "step": 4}})
    assert [found["model.latent_dim"] for found in space.points()] == [2, 6, 10]
    assert space.size == 3


def test_a_range_of_reals_has_no_size() -> None:
    space = space_of({"optimizer.lr": {"uniform": [0.1, 0.2]}, "model.latent_dim": {"grid": [1, 2]}})
    assert space.size is None
    assert space.ranges == ("search.space.optimizer.lr.uniform",)


def test_an_empty_space_is_one_point() -> None:
    assert list(space_of({}).points()) == [{}]
    assert space_of({}).size == 1


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=8, max_size=8))
def test_a_drawn_point_is_valid_and_lies_where_it_was_drawn(numbers: list[float]) -> None:
    space = space_of(CONDITIONAL)
    drawn = point(space, numbers)
    config = TrainConfig.parse(merge({}, drawn))
    assert 1 <= config.objective.num_samples <= 64
    assert 1e-4 <= config.optimizer.lr <= 1e-2
    found = space.locate(drawn)
    assert found is not None
    assert set(found) <= set(space.choices)
    assert found["optimizer.lr"] == drawn["optimizer.lr"]
    option = {"none": 0, "linear": 1, "cyclical": 2}[drawn["annealing"]["name"]]
    assert found["annealing"] == option
    assert ("annealing[1].warmup_epochs" in found) == (option == 1)


def test_the_ends_of_the_cube_are_the_ends_of_the_ranges() -> None:
    space = space_of(
        {
            "model.latent_dim": {"int": [3, 10], "step": 2},
            "objective.num_samples": {"int": [1, 50], "log": True},
            "objective.beta": {"uniform": [0.5, 2.0]},
            "optimizer.lr": {"loguniform": [1e-5, 1e-1]},
        }
    )
    low, high = point(space, [0.0]), point(space, [1 - 1e-12])
    assert list(low.values()) == [3, 1, 0.5, 1e-5]
    assert list(high.values()) == [9, 50, pytest.approx(2.0), pytest.approx(1e-1)]


def test_logarithmic_whole_numbers_favour_small_ones() -> None:
    space = space_of({"objective.num_samples": {"int": [1, 100], "log": True}})
    drawn = [point(space, [(i + 0.5) / 1000])["objective.num_samples"] for i in range(1000)]
    # A number k stands for [k − ½, k + ½]; the logarithm is uniform on [½, 100½].
    share = math.log(7.5 / 0.5) / math.log(100.5 / 0.5)
    assert sum(k <= 7 for k in drawn) == pytest.approx(1000 * share, abs=1)
    assert set(drawn) >= {1, 2, 3, 50, 100}


def test_a_point_of_another_space_is_not_located() -> None:
    space = space_of(CONDITIONAL)
    inside = point(space, [0.5])
    assert space.locate(inside) is not None
    assert space.locate({**inside, "objective.num_samples": 65}) is None
    assert space.locate({**inside, "objective.num_samples": True}) is None
    assert space.locate({**inside, "annealing": {"name": "cosine"}}) is None
    assert space.locate({**inside, "model.latent_dim": 3}) is None
    assert space.locate({k: v for k, v in inside.items() if k != "annealing"}) is None


def test_a_part_replaces_the_part_of_the_base_and_a_leaf_only_itself() -> None:
    spec = SweepSpec.parse(
        {
            "name": "a",
            "base": {
                "annealing": {"name": "linear", "warmup_epochs": 3},
                "optimizer": {"lr": 0.1, "eps": 0.5},
            },
            "search": {
                "space": {
                    "annealing": {"grid": [{"name": "linear", "start": 0.5}]},
                    "optimizer.lr": {"grid": [0.2]},
                }
            },
        }
    )
    config = spec.configuration({"annealing": {"name": "linear", "start": 0.5}, "optimizer.lr": 0.2})
    assert config.annealing.model_dump() == {
        "name": "linear",
        "target": "beta",
        "warmup_epochs": 10,
        "start": 0.5,
    }
    assert (config.optimizer.lr, config.optimizer.eps) == (0.2, 0.5)


def test_merging_changes_neither_base_nor_overrides() -> None:
    base, overrides = {"model": {"latent_dim": 1}}, {"model.hidden_dims": [1], "annealing": {"name": "none"}}
    merged = merge(base, overrides)
    merged["model"]["hidden_dims"].append(2)
    merged["annealing"]["name"] = "linear"
    assert base == {"model": {"latent_dim": 1}}
    assert overrides == {"model.hidden_dims": [1], "annealing": {"name": "none"}}


def test_every_leaf_of_a_configuration_but_the_refused_ones_can_be_varied() -> None:
    leaves = {path for path in TrainConfig().flat() if not path.startswith("evaluation.")}
    assert leaves - set(paths()) == {"seed", "device", "threads", "annealing.name", "optimizer.schedule.name"}


def test_paths_that_only_begin_alike_do_not_overlap() -> None:
    space_of({"model.hidden_dims": {"grid": [[1]]}, "model.latent_dim": {"grid": [1]}})
