import numpy as np
import pytest

from iwae.errors import ConfigError
from sweeps.spec.assignments import assign
from sweeps.spec.spec import load_spec


def test_a_path_sets_a_value_and_makes_the_mappings_on_its_way() -> None:
    assert assign({}, ["base.objective.num_samples=5", "search.seeds=[0,1]"]) == {
        "base": {"objective": {"num_samples": 5}},
        "search": {"seeds": [0, 1]},
    }


def test_a_section_left_empty_can_be_filled() -> None:
    assert assign({"budget": None}, ["budget.wall_clock=2h"]) == {"budget": {"wall_clock": "2h"}}


def test_the_document_itself_stays_as_it_was() -> None:
    document = {"base": {"num_epochs": 1}}
    assign(document, ["base.num_epochs=2"])
    assert document == {"base": {"num_epochs": 1}}


def test_keys_of_the_space_keep_their_dots() -> None:
    changed = assign(
        {"search": {"space": {"objective.num_samples": {"grid": [1]}}}},
        ["search.space.objective.num_samples.grid=[1,5]", "search.space.optimizer.lr.loguniform=[1e-4,1e-2]"],
    )
    assert changed["search"]["space"] == {
        "objective.num_samples": {"grid": [1, 5]},
        "optimizer.lr": {"loguniform": [1e-4, 1e-2]},
    }


def test_a_new_kind_of_entry_replaces_the_old_one() -> None:
    changed = assign(
        {"search": {"space": {"model.latent_dim": {"int": [1, 9], "step": 2}}}},
        ["search.space.model.latent_dim.grid=[2,3]"],
    )
    assert changed["search"]["space"] == {"model.latent_dim": {"grid": [2, 3]}}


def test_an_option_of_an_entry_is_set_beside_it() -> None:
    changed = assign(
        {"search": {"space": {"model.latent_dim": {"int": [1, 9]}}}},
        ["search.space.model.latent_dim.log=true"],
    )
    assert changed["search"]["space"] == {"model.latent_dim": {"int": [1, 9], "log": True}}


def test_null_takes_a_path_out_of_the_space() -> None:
    assert list(load_spec("quickstart", ["search.space.annealing=null"]).search.space) == [
        "objective.num_samples"
    ]


def test_a_whole_entry_can_be_put_in() -> None:
    spec = load_spec("quickstart", ["search.space.model.latent_dim={grid: [5, 10]}"])
    assert spec.search.space["model.latent_dim"] == {"grid": [5, 10]}


def test_a_path_below_a_varied_part_is_a_path_of_its_own() -> None:
    with pytest.raises(
        ConfigError, match=r"^search\.space\.annealing\.warmup_epochs: unknown path: base\.ann"
    ):
        load_spec("quickstart", ["search.space.annealing.warmup_epochs.grid=[1]"])


def test_numbers_are_numbers() -> None:
    assert assign({}, ["base.optimizer.lr=1e-3"])["base"]["optimizer"]["lr"] == 0.001


def test_a_value_may_hold_an_equals_sign() -> None:
    assert assign({}, ["tracking.experiment=a=b"]) == {"tracking": {"experiment": "a=b"}}


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("search.seeds", r"^search\.seeds is not allowed: must be path=value, as in search\.seeds=\[0,1\]$"),
        ("=3", r"^=3 is not allowed: must be path=value"),
        ("a..b=3", r"^a\.\.b=3 is not allowed: must be path=value"),
        ("a=[1", r"^a: line 1: not valid YAML"),
        ("a=!!python/name:os.system", r"^a: line 1: the tag .* is not allowed: must be plain data$"),
        ("seeds.x=3", r"^seeds\.x: cannot be set: seeds is \[0\], not a mapping$"),
    ],
)
def test_a_wrong_assignment_gets_one_line(assignment: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line) as caught:
        assign({"seeds": [0]}, [assignment])
    assert "\n" not in str(caught.value)


def test_values_by_path_are_put_in_as_text_is() -> None:
    as_text = ["search.seeds=[0, 1, 2]", "search.space.optimizer.lr.grid=[0.1, 0.01]", "base.num_epochs=7"]
    values = {
        "search.seeds": range(3),
        "search.space.optimizer.lr.grid": np.array([0.1, 0.01]),
        "base.num_epochs": np.int64(7),
    }
    document = {"name": "small", "base": {}, "search": {"space": {}}}
    assert assign(document, values) == assign(document, as_text)
    assert type(assign(document, values)["base"]["num_epochs"]) is int
    assert document == {"name": "small", "base": {}, "search": {"space": {}}}


def test_a_path_in_python_is_checked_as_one_in_text() -> None:
    with pytest.raises(ConfigError, match=r"'search\.\.seeds' is not allowed: must be a path"):
        assign({}, {"search..seeds": [0]})
