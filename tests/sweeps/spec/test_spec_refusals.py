"""What a spec may not hold: one line each, that names the path and what it must be."""

from pathlib import Path
from typing import Any

import pytest

from iwae.errors import ConfigError
from sweeps.spec.spec import SweepSpec, load_spec


def document(**search: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "base": {"data": {"name": "digits"}, "num_epochs": 20},
        "search": {"space": {"objective.num_samples": {"grid": [1, 5]}}, **search},
    }


def refused(line: str, *assignments: str, source: str = "quickstart") -> None:
    with pytest.raises(ConfigError) as caught:
        load_spec(source, assignments)
    assert str(caught.value) == line


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("text", ["soon", "''", "-5", "0", "0s", "1h 3", "true", ".nan", ".inf"])
def test_no_other_text_is_a_duration(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^budget\.wall_clock: .* is not allowed: must be "):
        load_spec("quickstart", [f"budget.wall_clock={text}"])


@pytest.mark.parametrize(
    ("assignment", "least"),
    [
        ("base.evaluation.final_num_samples=1", 100),
        ("base.evaluation.final_num_samples=99", 100),
        ("search.space.objective.num_samples.grid=[1, 501]", 1002),
    ],
)
def test_too_few_samples_to_rank_by_are_refused(assignment: str, least: int) -> None:
    message = rf"^base.evaluation.final_num_samples: \d+ is not allowed: must be >= {least} to rank trials"
    with pytest.raises(ConfigError, match=message):
        load_spec("quickstart", [assignment, "base.evaluation.few_num_samples=1"])


def test_a_missing_file_names_the_ready_specs() -> None:
    refused(
        "missing.yaml: no such file or ready spec: must be a file or one of"
        " annealing, burda-table-1, continuous, disentangle, k-tradeoff, latent-size, models,"
        " quickstart",
        source="missing.yaml",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2\n", "line 2: the key 'a' stands twice"),
        ("a: [1\n", r"line \d: not valid YAML"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "line 1: the tag .* is not allowed: must be plain data",
        ),
        ("", "must be a mapping with name, base and search"),
        ("- 1\n", "must be a mapping with name, base and search"),
    ],
)
def test_a_malformed_file_is_named_in_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = write(tmp_path / "bad.yaml", text)
    with pytest.raises(ConfigError, match=rf"^{path}: {line}") as caught:
        load_spec(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=rf"^{path}: cannot be read: "):
        load_spec(str(path))


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("budgett=3", "budgett: unknown key: did you mean budget?"),
        ("base.objective.num_sample=3", "base.objective.num_sample: unknown key: did you mean num_samples?"),
        ("base.num_epochs=0", "base.num_epochs: 0 is not allowed: must be >= 1"),
        ("base.num_epochs=true", "base.num_epochs: true is not allowed: must be a whole number"),
        ("base.optimizer.lr=.nan", "base.optimizer.lr: nan is not allowed: must be a finite number"),
        ("base.optimizer.lr=true", "base.optimizer.lr: true is not allowed: must be a number"),
        ("base.seed=3", "base.seed: 3 is not allowed: must be left out: search.seeds holds the seeds"),
        (
            "search.seeds=[0, 1, 0]",
            "search.seeds[2]: 0 is not allowed: must be different from search.seeds[0]",
        ),
        ("search.seeds=[-1]", "search.seeds[0]: -1 is not allowed: must be >= 0"),
        (
            "search.num_trials=3",
            "search.num_trials: 3 is not allowed: must be null when search.sampler.name is grid",
        ),
        (
            "search.sampler.name=tpe",
            "search.num_trials: null is not allowed: must be a whole number >= 1"
            " when search.sampler.name is tpe",
        ),
        (
            "search.sampler.name=sobol",
            "search.sampler.name: sobol is not allowed: must be one of grid, random, qmc, tpe, gp, cmaes",
        ),
        (
            "search.metric=train/bound",
            "search.metric: train/bound is not allowed: must be val/nll_final:"
            " a bound tightens with K, so it ranks K and not models",
        ),
        (
            "search.metric=train/objective",
            "search.metric: train/objective is not allowed: must be"
            " val/nll_final: a bound tightens with K, so it ranks K and not models",
        ),
        (
            "search.metric=val/nll",
            "search.metric: val/nll is not allowed: must be val/nll_final: it is a"
            " curve over few samples and few images, which flatters small K",
        ),
        (
            "search.metric=test/nll",
            "search.metric: test/nll is not allowed: must be val/nll_final:"
            " test data are touched once and select nothing",
        ),
        ("resources.gpus=1.5", "resources.gpus: 1.5 is not allowed: must be a whole number above 1"),
        ("resources.gpus=-1", "resources.gpus: -1 is not allowed: must be >= 0.0"),
        (
            "name=.hidden",
            "name: '.hidden' is not allowed: must be letters, digits, '-', '_' and '.',"
            " not starting with '-' or '.'",
        ),
        (
            "name=a/b",
            "name: 'a/b' is not allowed: must be letters, digits, '-', '_' and '.',"
            " not starting with '-' or '.'",
        ),
    ],
)
def test_a_wrong_value_gets_one_line(assignment: str, line: str) -> None:
    refused(line, assignment)


def test_search_and_name_are_required() -> None:
    with pytest.raises(ConfigError, match=r"^search: missing: a value is required$"):
        SweepSpec.parse({"name": "a"})
    with pytest.raises(ConfigError, match=r"^name: missing: a value is required$"):
        SweepSpec.parse({"search": {"space": {}}})


def test_a_name_may_not_end_in_a_line_break() -> None:
    with pytest.raises(ConfigError, match=r"^name: 'a\\n' is not allowed"):
        SweepSpec.parse({**document(), "name": "a\n"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": {"model": {"latent_dim": 10**29}}}, "base.model.latent_dim: 1000.* must be <= 100000"),
        (
            {"base": {"model": {"latent_dim": 1e29}}},
            "base.model.latent_dim: 1e.29 is not allowed: must be a whole",
        ),
        ({"base": {"num_epochs": 10**20}}, "base.num_epochs: .* must be <= 1000000000"),
        (
            {"space": {"objective.num_samples": {"grid": [1, 10**6]}}},
            r"num_samples.grid\[1\]: 1000000 .* <= 100000",
        ),
        (
            {"space": {"objective.num_samples": {"int": [1, 10**20]}}},
            r"num_samples.int\[1\]: .* must be <= 100000",
        ),
        (
            {"space": {"objective.num_samples": {"int": [1, 1e20]}}},
            r"num_samples.int\[1\]: 1e.20 .* a whole number",
        ),
        (
            {"space": {"optimizer.lr": {"uniform": [0.1, 10**400]}}},
            r"optimizer.lr.uniform\[1\]: .* a finite number",
        ),
        ({"space": {"optimizer.lr": {"grid": [0.1, 10**400]}}}, r"optimizer.lr.grid\[1\]: "),
        ({"base": {"optimizer": {"lr": 10**400}}}, r"base.optimizer.lr: .*"),
        ({"seeds": [10**20]}, r"search.seeds\[0\]: .* must be < "),
    ],
)
@pytest.mark.parametrize("sampler", [{}, {"sampler": {"name": "random"}, "num_trials": 4}])
def test_numbers_beyond_every_machine_are_one_line(
    changed: dict[str, Any], message: str, sampler: dict[str, Any]
) -> None:
    values = {"name": "x", "base": changed.get("base", {})}
    search = {name: part for name, part in changed.items() if name != "base"}
    with pytest.raises(ConfigError, match=message) as caught:
        SweepSpec.parse(
            {**values, "search": {"space": {"batch_size": {"grid": [1, 2]}}, **search, **sampler}}
        )
    assert len(str(caught.value)) < 200
