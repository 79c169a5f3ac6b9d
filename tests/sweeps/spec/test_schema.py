from importlib import resources
from typing import Any

import jsonschema
import pytest

from iwae.config import yaml
from sweeps.spec.assignments import assign
from sweeps.spec.spec import json_schema, load_spec, ready_specs


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def written(name: str) -> Any:
    return yaml.load(resources.files("sweeps.specs").joinpath(f"{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", list(ready_specs()))
def test_ready_specs_are_valid_as_written_and_as_stored(validator: Any, name: str) -> None:
    validator.validate(written(name))
    validator.validate(load_spec(name).to_dict())


@pytest.mark.parametrize(
    "assignment",
    [
        "search.space.optimizer.lr={loguniform: [1e-4, 1e-2]}",
        "search.space.model.latent_dim={int: [2, 64], log: true}",
        "search.space.model.hidden_dims={choice: [[400], [200, 200]]}",
        "search.space.annealing={choice: [{name: linear, warmup_epochs: {int: [2, 10]}}, {name: none}]}",
        "search.space.optimizer={grid: [{lr: {uniform: [0.1, 0.2]}, schedule: {name: cosine}}]}",
        "search.sampler={name: tpe, seed: 1, startup_trials: 5}",
        "scheduler={name: asha, brackets: 2}",
        "budget.wall_clock=1h30m",
        "budget.wall_clock=60",
        "base.optimizer.betas=[0.9, 0.99]",
    ],
)
def test_what_a_spec_may_hold_is_valid(validator: Any, assignment: str) -> None:
    validator.validate(assign(written("quickstart"), [assignment]))


@pytest.mark.parametrize(
    "assignment",
    [
        "budgett=1",
        "base.objective.num_samples=0",
        "base.annealing={name: linear, cycles: 3}",
        "search.metric=train/bound",
        "search.space.objective.num_sample={grid: [1]}",
        "search.space.objective.num_samples={grid: []}",
        "search.space.objective.num_samples={grid: [0]}",
        "search.space.objective.num_samples={grid: [1], int: [1, 2]}",
        "search.space.objective.num_samples={grid: [1], log: true}",
        "search.space.objective.num_samples={int: [1]}",
        "search.space.objective.num_samples=5",
        "search.space.model.activation={uniform: [0, 1]}",
        "search.space.annealing={grid: [{name: liner}]}",
        "search.space.annealing={grid: [{name: linear, warmup_epochs: {grid: [0]}}]}",
        "search.space.seed={grid: [1]}",
        "search.sampler={name: grid, startup_trials: 5}",
        "scheduler={name: median, brackets: 2}",
        "budget.wall_clock=soon",
        "name=.hidden",
    ],
)
def test_what_a_spec_may_not_hold_is_not_valid(validator: Any, assignment: str) -> None:
    assert not validator.is_valid(assign(written("quickstart"), [assignment]))


def test_every_field_and_every_path_of_the_space_is_described() -> None:
    schema = json_schema()
    space = schema["definitions"]["SearchSpec"]["properties"]["space"]["properties"]
    assert {"objective.num_samples", "annealing", "model.latent_dim", "optimizer.schedule"} <= set(space)
    entry = schema["definitions"]["BoundConfig.num_samples"]
    assert space["objective.num_samples"] == {"$ref": "#/definitions/BoundConfig.num_samples"}
    assert entry["description"] == "K, the importance samples of a training step."
    assert schema["properties"]["checkpoint_every"]["description"] == "seconds between a trial's checkpoints."
