"""How often a configuration is parsed between the spec and the plan."""

from pathlib import Path
from typing import Any, Self

import pytest

from iwae.config.train import TrainConfig
from sweeps.plan.plan import draw_plan
from sweeps.plan.samplers import Suggester
from sweeps.spec.checks import PROBES
from sweeps.spec.spec import load_spec
from tracking.files.folder import Folder
from tracking.records.planned import spec_sha256
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage

RANDOM = ("search.sampler.name=random", "search.num_trials=4")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was parsed as a configuration since the test began."""
    seen: list[Any] = []
    parse = TrainConfig.parse.__func__  # type: ignore[attr-defined]

    def counted(cls: type[TrainConfig], values: Any, path: str = "") -> Self:
        seen.append(values)
        return parse(cls, values, path)

    monkeypatch.setattr(TrainConfig, "parse", classmethod(counted))
    return seen


def test_each_point_of_a_grid_is_parsed_once_for_the_checks_the_plan_and_all_seeds(parsed: list[Any]) -> None:
    spec = load_spec("quickstart")
    assert len(draw_plan(spec)) == 24
    assert len(parsed) == spec.space.size == 8


def test_each_drawn_configuration_is_parsed_once_for_all_seeds(parsed: list[Any]) -> None:
    spec = load_spec("quickstart", RANDOM)
    assert len(parsed) == PROBES
    plan = draw_plan(spec)
    assert len(parsed) - PROBES == 4
    assert len(plan) == 4 * len(spec.search.seeds)


def test_a_suggestion_is_parsed_once_for_all_seeds(parsed: list[Any]) -> None:
    spec = load_spec("quickstart", ["search.sampler.name=tpe", "search.num_trials=4"])
    suggester = Suggester(spec)
    parsed.clear()
    trials = suggester.ask()
    assert trials is not None
    assert len(trials) == len(spec.search.seeds)
    assert len(parsed) == 1


def test_a_replicate_is_what_its_own_values_give() -> None:
    for trial in (*draw_plan(load_spec("quickstart")), *draw_plan(load_spec("quickstart", RANDOM))):
        assert TrainConfig.parse(trial.config.to_dict()) == trial.config


def test_a_plan_that_is_read_again_from_storage_is_not_parsed_again(
    tmp_path: Path, parsed: list[Any]
) -> None:
    spec = load_spec("quickstart")
    plan = draw_plan(spec)
    storage = SweepStorage(Folder(tmp_path), spec.name)
    storage.create(Decided.of(spec.to_dict(), plan, {}))
    storage.plan()
    parsed.clear()
    assert storage.plan() == plan
    assert [trial.config for trial in storage.record().trials] == [trial.config for trial in plan]
    assert spec_sha256(storage.spec()) == spec_sha256(storage.spec())
    assert len(parsed) <= 1
