"""What a search space may not hold: one line each, that names the place where it was written."""

from typing import Any

import pytest

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.space.space import Space, parse_space


def space_of(raw: dict[str, Any], **base: Any) -> Space:
    return parse_space(raw, TrainConfig.parse(base))


def refused(raw: dict[str, Any], line: str, **base: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of(raw, **base)
    assert str(caught.value) == line


K = "search.space.objective.num_samples"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"grid": [1, 5, 0]}, f"{K}.grid[2]: 0 is not allowed: must be >= 1"),
        ({"choice": [1, "many"]}, f"{K}.choice[1]: 'many' is not allowed: must be a whole number"),
        ({"grid": [True]}, f"{K}.grid[0]: true is not allowed: must be a whole number"),
        ({"grid": [1.5]}, f"{K}.grid[0]: 1.5 is not allowed: must be a whole number"),
        ({"grid": [float("nan")]}, f"{K}.grid[0]: nan is not allowed: must be a whole number"),
        ({"grid": []}, f"{K}.grid: [] is not allowed: must be a list with at least one value"),
        ({"grid": 5}, f"{K}.grid: 5 is not allowed: must be a list"),
        ({"grid": [1, 5, 1]}, f"{K}.grid[2]: 1 is not allowed: must differ from {K}.grid[0]"),
        ({"int": [0, 5]}, f"{K}.int[0]: 0 is not allowed: must be >= 1"),
        ({"int": [5, 5]}, f"{K}.int: [5, 5] is not allowed: must be [low, high] with low < high"),
        ({"int": [1]}, f"{K}.int: [1] is not allowed: must be [low, high]"),
        ({"int": [1, 2.5]}, f"{K}.int[1]: 2.5 is not allowed: must be a whole number"),
        ({"int": [1, True]}, f"{K}.int[1]: true is not allowed: must be a number"),
        ({"int": [1, 9], "step": 0}, f"{K}.step: 0 is not allowed: must be a whole number >= 1"),
        ({"int": [1, 9], "log": 1}, f"{K}.log: 1 is not allowed: must be true or false"),
        (
            {"int": [1, 9], "log": True, "step": 2},
            f"{K}.step: 2 is not allowed: must be left out when log is true",
        ),
        ({"int": [0, 9], "log": True}, f"{K}.int[0]: 0 is not allowed: must be >= 1 when log is true"),
        (
            {"uniform": [1, 5]},
            f"{K}.uniform[0]: 1.0 is not allowed: must be a whole number"
            " (int: [low, high] draws whole numbers)",
        ),
        ({"grid": [1], "log": True}, f"{K}.log: unknown key beside grid"),
        ({"gird": [1]}, f"{K}.gird: unknown key: did you mean grid?"),
    ],
)
def test_a_wrong_entry_gets_one_line(entry: Any, line: str) -> None:
    refused({"objective.num_samples": entry}, line)


@pytest.mark.parametrize("entry", [5, [1, 5], {}, None, {"grid": [1], "int": [1, 2]}])
def test_what_is_no_entry_is_told_the_kinds_there_are(entry: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{K}: .*must be one of \{{grid: .*int: \[low, high\]\}}$"):
        space_of({"objective.num_samples": entry})


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"loguniform": [0, 1]}, "loguniform[0]: 0 is not allowed: must be > 0"),
        ({"uniform": [-1, 1]}, "uniform[0]: -1.0 is not allowed: must be > 0.0"),
        ({"uniform": [0.1, float("inf")]}, "uniform[1]: inf is not allowed: must be a finite number"),
        ({"uniform": [float("nan"), 1]}, "uniform[0]: nan is not allowed: must be a finite number"),
        ({"uniform": ["a", 1]}, "uniform[0]: a is not allowed: must be a number"),
        (
            {"grid": [1, 1.0]},
            "grid[1]: 1 is not allowed: must differ from search.space.optimizer.lr.grid[0]",
        ),
    ],
)
def test_a_wrong_range_of_reals_gets_one_line(entry: Any, line: str) -> None:
    refused({"optimizer.lr": entry}, f"search.space.optimizer.lr.{line}")


def test_real_numbers_where_whole_ones_or_null_belong_name_the_entry_that_draws_them() -> None:
    refused(
        {"chunk_size": {"uniform": [1, 5]}},
        "search.space.chunk_size.uniform[0]: 1.0 is not allowed: must be a whole number"
        " (int: [low, high] draws whole numbers)",
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("objective.num_sample", "unknown path: did you mean objective.num_samples?"),
        ("num_samples", "unknown path: did you mean objective.num_samples?"),
        ("zzz", "unknown path: must be a path of the configuration (`sweeps schema`)"),
        ("objective.num_samples.x", "unknown path: did you mean objective.num_samples?"),
        ("annealing.warmup_epochs", "unknown path: base.annealing is none, which has no warmup_epochs"),
        (
            "annealing.name",
            "not allowed: must vary the whole part, as in annealing: {grid: [{name: ...}, {name: ...}]}",
        ),
        (
            "seed",
            "not allowed in the space: seeds are replicates, not a parameter: must be set in search.seeds",
        ),
        (
            "device",
            "not allowed in the space: where a trial runs is not a parameter: must be set in resources.gpus",
        ),
        (
            "threads",
            "not allowed in the space: where a trial runs is not a parameter: must be set in resources.cpus",
        ),
        (
            "evaluation.every",
            "not allowed in the space: every trial is measured with the same yardstick:"
            " must be set in base.evaluation",
        ),
    ],
)
def test_a_path_that_cannot_be_varied_gets_one_line(path: str, line: str) -> None:
    refused({path: {"grid": [1]}}, f"search.space.{path}: {line}")


def test_overlapping_paths_are_refused_whichever_comes_first() -> None:
    part, leaf = {"grid": [{"name": "none"}]}, {"grid": [3]}
    base = {"annealing": {"name": "linear"}}
    line = "search.space.{}: overlaps search.space.{}: must be varied in one of them"
    names = ("annealing", "annealing.warmup_epochs")
    refused({"annealing": part, "annealing.warmup_epochs": leaf}, line.format(*names[::-1]), **base)
    refused({"annealing.warmup_epochs": leaf, "annealing": part}, line.format(*names), **base)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"name": "liner"}, ".name: liner is not allowed: must be one of none, linear, cosine, sigmoid"),
        ({"name": "linear", "cycles": 3}, ".cycles: unknown key: must be one of name, target, warmup_epochs"),
        (
            {"name": "linear", "warmup_epochs": {"int": [0, 5]}},
            ".warmup_epochs.int[0]: 0 is not allowed: must be >= 1",
        ),
        (
            {"name": "linear", "start": {"uniform": [0, 1]}},
            ".start.uniform[1]: 1.0 is not allowed: must be < 1.0",
        ),
        (
            {"name": "linear", "warmup_epochs": {"grid": []}},
            ".warmup_epochs.grid: [] is not allowed: must be",
        ),
        ({}, ".name: missing"),
        ("none", ": 'none' is not allowed: must be a mapping"),
        ({"name": "none"}, ": {name: none} is not allowed: must differ from search.space.annealing.grid[0]"),
    ],
)
def test_a_wrong_part_is_named_where_it_was_written(option: Any, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of({"annealing": {"grid": [{"name": "none"}, option]}})
    assert str(caught.value).startswith(f"search.space.annealing.grid[1]{line}")


def test_equal_parts_are_found_behind_their_defaults() -> None:
    refused(
        {"annealing": {"grid": [{"name": "linear"}, {"name": "linear", "warmup_epochs": 10}]}},
        "search.space.annealing.grid[1]: {name: linear, warmup_epochs: 10} is not allowed:"
        " must differ from search.space.annealing.grid[0]",
    )
