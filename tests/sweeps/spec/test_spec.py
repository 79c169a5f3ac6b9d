import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iwae.config import yaml
from iwae.errors import ConfigError
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec, differences, json_schema, load_spec, ready_specs
from tracking.records.spec_hash import spec_sha256


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


def test_a_spec_survives_a_round_trip_as_plain_data() -> None:
    for name in ready_specs():
        spec = load_spec(name)
        again = SweepSpec.parse(spec.to_dict())
        assert again == spec
        assert spec_sha256(again.to_dict()) == spec_sha256(spec.to_dict())
        assert draw_plan(again) == draw_plan(spec)


def test_left_out_sections_have_their_defaults() -> None:
    spec = SweepSpec.parse(document())
    assert spec.search.metric == "val/nll_final"
    assert spec.search.seeds == (0,)
    assert spec.scheduler.name == "none"
    assert spec.budget.wall_clock is None
    assert (spec.resources.cpus, spec.resources.gpus, spec.resources.max_concurrent) == (1, 0, None)
    assert spec.tracking.experiment == "iwae-sweeps"
    assert (spec.checkpoint_every, spec.keep_checkpoints, spec.retries) == (10, 2, 2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("45s", 45), ("1h30m", 5400), ("1.5s", 1.5), ("600", 600), ("0.5", 0.5)],
)
def test_a_duration_is_seconds_or_text_with_units(text: str, seconds: float) -> None:
    assert load_spec("quickstart", [f"budget.wall_clock={text}"]).budget.wall_clock == seconds


@pytest.mark.parametrize("text", ["soon", "''", "-5", "0", "0s", "1h 3", "true", ".nan", ".inf"])
def test_no_other_text_is_a_duration(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^budget\.wall_clock: .* is not allowed: must be "):
        load_spec("quickstart", [f"budget.wall_clock={text}"])


def test_a_data_set_brings_its_own_evaluation_although_the_space_chooses_it() -> None:
    spec = SweepSpec.parse(
        {
            "name": "sets",
            "base": {"evaluation": {"num_samples": 7}},
            "search": {"space": {"data.name": {"grid": ["digits", "mnist"]}}},
        }
    )
    digits, mnist = (trial.config.evaluation for trial in draw_plan(spec))
    assert (digits.num_samples, digits.final_num_samples) == (7, 1000)
    assert (mnist.num_samples, mnist.final_num_samples) == (7, 5000)
    assert draw_plan(SweepSpec.parse(spec.to_dict())) == draw_plan(spec)


def test_sha256_depends_on_what_decides_results_and_on_nothing_else() -> None:
    def sha256(*assignments: str) -> str:
        return spec_sha256(load_spec("quickstart", assignments).to_dict())

    for same in (
        "budget.wall_clock=2h",
        "resources.max_concurrent=1",
        "retries=0",
        "base.threads=2",
        "base.device=cpu",
        "base.chunk_size=7",
    ):
        assert sha256(same) == sha256()
    for other in ("base.num_epochs=40", "search.seeds=[0]", "search.space.annealing=null"):
        assert sha256(other) != sha256()


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid"])
def test_sha256_is_equal_exactly_where_the_plans_are(sampler: str) -> None:
    entries = {"objective.num_samples": {"choice": [1, 5, 20]}, "model.latent_dim": {"choice": [2, 4, 8]}}
    number = {} if sampler == "grid" else {"num_trials": 6}

    def spec(space: dict[str, Any]) -> SweepSpec:
        search = {"space": space, "sampler": {"name": sampler}, **number}
        return SweepSpec.parse({"name": "x", "base": {"data": {"name": "digits"}}, "search": search})

    one, other = spec(entries), spec(dict(reversed(entries.items())))
    plans = [[trial.key for trial in draw_plan(found)] for found in (one, other)]
    assert plans[0] != plans[1]
    assert spec_sha256(one.to_dict()) != spec_sha256(other.to_dict())
    again = SweepSpec.parse(yaml.load(yaml.dump(one.to_dict())))
    assert spec_sha256(again.to_dict()) == spec_sha256(one.to_dict())


def test_differences_name_every_path_that_may_not_change_while_a_sweep_goes_on() -> None:
    old = load_spec("quickstart")
    free = ["budget.wall_clock=1h", "resources.cpus=2", "tracking.experiment=other", "checkpoint_every=1m"]
    assert differences(old, load_spec("quickstart", [*free, "keep_checkpoints=5", "retries=0"])) == []
    changed = load_spec(
        "quickstart",
        ["base.num_epochs=40", "search.space.objective.num_samples.grid=[1]", "search.space.annealing=null"],
    )
    assert differences(old, changed) == [
        "base.num_epochs",
        "search.space.objective.num_samples.grid",
        "search.space.annealing.grid",
    ]
    assert differences(old, load_spec("quickstart", name="other")) == ["name"]


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


def test_enough_samples_are_twice_the_largest_k() -> None:
    space = "search.space.objective.num_samples.grid=[1, 500]"
    assert load_spec("quickstart", [space]).extent == (500, 1000)
    drawn = [
        "search.space.objective.num_samples.int=[1, 500]",
        "search.sampler.name=random",
        "search.num_trials=3",
    ]
    assert load_spec("quickstart", drawn).extent == (500, 1000)


def test_few_samples_of_an_old_sweep_still_open() -> None:
    document = load_spec("quickstart").to_dict()
    document["base"]["evaluation"] |= {"final_num_samples": 1, "few_num_samples": 1}
    old = SweepSpec.parse(document)
    assert not old.extent.ranks
    with pytest.raises(ConfigError, match="with few samples -L is a training bound, which flatters small K"):
        old.extent.refuse_few_samples()


def test_ready_specs_are_named_with_one_line_each() -> None:
    specs = ready_specs()
    assert list(specs) == ["annealing", "burda-table-1", "k-tradeoff", "latent-size", "quickstart"]
    assert all(20 < len(line) < 120 and not line.startswith("#") for line in specs.values())
    assert all(load_spec(name).name == name for name in specs)


def test_burda_table_1_is_the_recipe_of_the_paper() -> None:
    plan = draw_plan(load_spec("burda-table-1"))
    assert [(t.config.objective.name, t.config.objective.num_samples) for t in plan] == [
        ("iwae", 1),
        ("iwae", 5),
        ("iwae", 50),
        ("multi-sample-vae", 5),
        ("multi-sample-vae", 50),
    ]
    config = plan[0].config
    schedule = config.optimizer.schedule
    assert schedule.name == "stages"
    assert schedule.epochs == tuple(3**i for i in range(8))
    assert schedule.factors == pytest.approx([10 ** (-i / 7) for i in range(8)], abs=1e-6)
    assert config.num_epochs == sum(3**i for i in range(8)) == 3280
    assert (config.batch_size, config.optimizer.eps, config.optimizer.reduction) == (20, 1e-4, "sum")
    assert (config.data.num_validation, config.evaluation.final_num_samples) == (400, 5000)


def test_the_slides_set_up_is_the_k_tradeoff() -> None:
    plan = draw_plan(load_spec("k-tradeoff"))
    assert len(plan) == 18
    assert [t.config.objective.num_samples for t in plan[:6]] == [1, 5, 20, 30, 50, 100]
    model = plan[0].config.model
    assert (model.hidden_dims, model.latent_dim, model.activation) == ((400,), 20, "relu")


def test_quickstart_has_24_trials_on_data_that_need_no_download() -> None:
    plan = draw_plan(load_spec("quickstart"))
    assert len(plan) == 24
    assert {trial.config.data.name for trial in plan} == {"digits"}


def test_planning_loads_neither_torch_nor_ray_nor_mlflow() -> None:
    code = (
        "import sys; from sweeps.plan.plan import draw_plan; from sweeps.spec.spec import load_spec;"
        "draw_plan(load_spec('quickstart'));"
        "print([m for m in ('torch', 'ray', 'mlflow', 'optuna', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_file_names_the_ready_specs() -> None:
    refused(
        "missing.yaml: no such file, and no ready spec either: must be a file or one of"
        " annealing, burda-table-1, k-tradeoff, latent-size, quickstart",
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


def test_a_file_is_a_spec_and_a_name_replaces_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "name: mine\nsearch: {space: {}}\n")
    assert load_spec(path).name == "mine"
    assert load_spec(path, name="yours").name == "yours"
    assert len(draw_plan(load_spec(path))) == 1


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


def test_gpus_may_be_shared_or_whole() -> None:
    for gpus in (0, 0.25, 1, 2, 2.0):
        assert load_spec("quickstart", [f"resources.gpus={gpus}"]).resources.gpus == gpus


def test_a_name_may_not_end_in_a_line_break() -> None:
    with pytest.raises(ConfigError, match=r"^name: 'a\\n' is not allowed"):
        SweepSpec.parse({**document(), "name": "a\n"})


def test_every_whole_number_of_a_spec_has_an_upper_limit() -> None:
    def numbers(part: Any) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict):
            if part.get("type") == "integer":
                yield part
            part = list(part.values())
        for below in part if isinstance(part, list) else []:
            yield from numbers(below)

    found = list(numbers(json_schema()))
    assert len(found) > 30
    unlimited = [one for one in found if not {"maximum", "exclusiveMaximum"} & set(one)]
    # The bounds and the step of `int: [low, high]` are limited by the path that they belong to.
    assert [one for one in unlimited if set(one) != {"type"} and "of int" not in one["description"]] == []


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
