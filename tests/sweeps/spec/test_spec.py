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
from tracking.records.planned import former_spec_sha256s, spec_sha256


def document(**search: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "base": {"data": {"name": "digits"}, "num_epochs": 20},
        "search": {"space": {"objective.num_samples": {"grid": [1, 5]}}, **search},
    }


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
        "base.activation_bytes=100000000",
    ):
        assert sha256(same) == sha256()
    for other in ("base.num_epochs=40", "search.seeds=[0]", "search.space.annealing=null"):
        assert sha256(other) != sha256()


SPACE: dict[str, Any] = {
    "objective.num_samples": {"choice": [1, 5, 20]},
    "annealing": {
        "choice": [
            {"name": "none"},
            {"name": "linear", "warmup_epochs": {"int": [2, 9]}, "start": {"choice": [0.0, 0.5]}},
        ]
    },
}
INSIDE = {**SPACE["annealing"]["choice"][1]}
OTHER_ORDERS = {
    "paths": dict(reversed(SPACE.items())),
    "inside-an-option": {
        **SPACE,
        "annealing": {"choice": [{"name": "none"}, dict(reversed(INSIDE.items()))]},
    },
}


def space_of(space: dict[str, Any], sampler: str) -> SweepSpec:
    number = {} if sampler == "grid" else {"num_trials": 6}
    search = {"space": space, "sampler": {"name": sampler}, **number}
    base = {"data": {"name": "digits"}, "num_epochs": 20}
    return SweepSpec.parse({"name": "x", "base": base, "search": search})


@pytest.mark.parametrize("order", OTHER_ORDERS)
@pytest.mark.parametrize("sampler", ["random", "qmc", "grid"])
def test_sha256_of_specs_in_another_order_differs_where_their_plans_do(sampler: str, order: str) -> None:
    one, other = space_of(SPACE, sampler), space_of(OTHER_ORDERS[order], sampler)
    plans = [[trial.key for trial in draw_plan(found)] for found in (one, other)]
    assert plans[0] != plans[1]
    assert spec_sha256(one.to_dict()) != spec_sha256(other.to_dict())
    again = SweepSpec.parse(yaml.load(yaml.dump(other.to_dict())))
    assert draw_plan(again) == draw_plan(other)
    assert spec_sha256(again.to_dict()) == spec_sha256(other.to_dict())


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid"])
def test_sha256_is_equal_where_only_plain_values_stand_in_another_order(sampler: str) -> None:
    last = {name: INSIDE[name] for name in ("warmup_epochs", "start", "name")}
    annealing = {"choice": [{"name": "none"}, last]}
    one, other = space_of(SPACE, sampler), space_of({**SPACE, "annealing": annealing}, sampler)
    assert [trial.key for trial in draw_plan(one)] == [trial.key for trial in draw_plan(other)]
    assert spec_sha256(one.to_dict()) == spec_sha256(other.to_dict())


def test_the_sha256_of_ready_specs_is_what_older_versions_recorded() -> None:
    for name in ready_specs():
        spec = load_spec(name).to_dict()
        assert spec_sha256(spec) in former_spec_sha256s(spec)


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
    assert list(specs) == [
        "annealing",
        "burda-table-1",
        "continuous",
        "disentangle",
        "k-tradeoff",
        "latent-size",
        "models",
        "quickstart",
    ]
    assert all(20 < len(line) < 120 and not line.startswith("#") for line in specs.values())
    assert all(load_spec(name).name == name for name in specs)


def test_continuous_varies_k_of_the_vae_alone() -> None:
    plan = draw_plan(load_spec("continuous"))
    drawn = {(t.config.data.name, t.config.model.name, t.config.objective.num_samples) for t in plan}
    tables = ("wine", "breast-cancer", "iris", "diabetes")
    kinds = [("vae", 1), ("vae", 50), ("pca", 1), ("mixture", 1)]
    assert drawn == {(table, *kind) for table in tables for kind in kinds}
    assert len(plan) == 3 * len(drawn)
    assert {(t.config.data.scaling, t.config.measure) for t in plan} == {("standardize", "density")}


def test_burda_table_1_is_the_recipe_of_the_paper() -> None:
    plan = draw_plan(load_spec("burda-table-1"))
    columns = [("iwae", 1), ("iwae", 5), ("iwae", 50), ("multi-sample-vae", 5), ("multi-sample-vae", 50)]
    assert [(t.config.model.name, t.config.objective.name, t.config.objective.num_samples) for t in plan] == [
        (model, *column) for model in ("vae", "two-layer") for column in columns
    ]
    assert [plan[number].configuration_name for number in (1, 6)] == [
        "vae K=5 D=50",
        "two-layer K=5 D=100+50",
    ]
    two = plan[5].config.model
    assert (two.hidden_dims, two.latent_hidden_dims, two.layers) == ((200, 200), (100, 100), (100, 50))
    assert {(t.config.model.activation, t.config.model.init) for t in plan} == {("tanh", "glorot")}
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


def test_a_file_is_a_spec_and_a_name_replaces_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "name: mine\nsearch: {space: {}}\n")
    assert load_spec(path).name == "mine"
    assert load_spec(path, name="yours").name == "yours"
    assert len(draw_plan(load_spec(path))) == 1


def test_gpus_may_be_shared_or_whole() -> None:
    for gpus in (0, 0.25, 1, 2, 2.0):
        assert load_spec("quickstart", [f"resources.gpus={gpus}"]).resources.gpus == gpus


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
