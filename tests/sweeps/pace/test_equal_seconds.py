from dataclasses import replace
from typing import Any

import pytest

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.changes import extended
from sweeps.execution.pacing import forecast
from sweeps.pace.equal_seconds import EqualSeconds, with_epochs
from sweeps.pace.work import epoch_work
from sweeps.plan.kinds import MOST_KINDS, kinds
from sweeps.plan.plan import draw_plan
from sweeps.plan.samplers import Suggester
from sweeps.spec.spec import SweepSpec
from tests.support.factory import Factory
from tracking.analysis.configurations import tables
from tracking.analysis.strata import strata
from tracking.files.places import open_storage
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage

K_GRID = {"objective.num_samples": {"grid": [1, 5, 50]}}
ANNEALING = {"annealing": {"grid": [{"name": "none"}, {"name": "linear"}]}}
# Seconds of an epoch, by K, as a machine may give them.
EPOCH = {1: 0.1, 5: 0.125, 50: 0.5}


def spec_of(space: dict[str, Any] = K_GRID, base: dict[str, Any] | None = None, **search: Any) -> SweepSpec:
    return SweepSpec.parse(
        {
            "name": "demo",
            "base": {"data": {"name": "digits"}, "num_epochs": 20, **(base or {})},
            "search": {"space": space, "equal_seconds": True, **search},
        }
    )


def with_k(num_samples: int) -> TrainConfig:
    return TrainConfig.parse({"data": {"name": "digits"}, "objective": {"num_samples": num_samples}})


def measured(spec: SweepSpec) -> SweepSpec:
    configs = kinds(spec)
    assert spec.search.equal_seconds is not None
    seconds = [EPOCH[config.objective.num_samples] for config in configs]
    return spec.paced(spec.search.equal_seconds.with_measured(configs, seconds))


def test_every_configuration_gets_the_seconds_of_the_slowest_one():
    plan = draw_plan(measured(spec_of()))
    epochs = {trial.config.objective.num_samples: trial.config.num_epochs for trial in plan}
    assert epochs == {1: 100, 5: 80, 50: 20}  # 10 s over seconds an epoch


def test_another_time_may_be_asked_for():
    plan = draw_plan(measured(spec_of(equal_seconds={"seconds": "1m"})))
    assert [trial.config.num_epochs for trial in plan] == [600, 480, 120]


def test_schedules_keep_their_shares_of_the_training():
    config = TrainConfig.parse(
        {
            "num_epochs": 40,
            "annealing": {"name": "linear", "warmup_epochs": 10},
            "optimizer": {"schedule": {"name": "stages", "epochs": [10, 20, 30], "factors": [1.0, 0.5, 0.2]}},
            "evaluation": {"every": 2},
        }
    )
    longer = with_epochs(config, 100)
    assert longer.annealing.warmup_epochs == 25
    assert longer.optimizer.schedule.epochs == (25, 50, 75)
    assert longer.evaluation.every == 5
    assert with_epochs(config, 40) is config
    assert with_epochs(longer, 40) == config
    # Of stages of a tenth the first and the second round to one epoch.
    shorter = with_epochs(config, 1)
    assert sum(shorter.optimizer.schedule.epochs) >= 1
    assert shorter.annealing.warmup_epochs == shorter.evaluation.every == 1


def test_cycles_and_cosines_are_shares_already():
    config = TrainConfig.parse(
        {"num_epochs": 8, "annealing": {"name": "cyclical"}, "optimizer": {"schedule": {"name": "cosine"}}}
    )
    longer = with_epochs(config, 20)
    assert longer.num_epochs == 20
    assert (longer.annealing, longer.optimizer) == (config.annealing, config.optimizer)
    with pytest.raises(ConfigError, match=r"annealing.cycles: 4 is not allowed: must be <= num_epochs \(3\)"):
        with_epochs(config, 3)


def test_the_same_spec_gives_the_same_plan_and_more_seeds_the_same_epochs():
    spec = measured(spec_of({**K_GRID, **ANNEALING}))
    again = SweepSpec.parse(spec.to_dict())
    assert [trial.key for trial in draw_plan(again)] == [trial.key for trial in draw_plan(spec)]
    values = spec.to_dict()
    more = SweepSpec.parse({**values, "search": {**values["search"], "seeds": [0, 1]}})
    assert {trial.key for trial in draw_plan(spec)} < {trial.key for trial in draw_plan(more)}


def test_an_added_k_lies_between_the_measured_ones_by_its_work(tmp_path):
    spec = measured(spec_of())
    storage = SweepStorage(open_storage(str(tmp_path)), "demo")
    storage.create(Decided.of(spec.to_dict(), draw_plan(spec), {}, []))
    added, plan = extended(storage, ["search.space.objective.num_samples.grid=[1, 5, 20, 50]"])
    assert added.search.equal_seconds == spec.search.equal_seconds
    assert [trial.key for trial in plan[:3]] == [trial.key for trial in draw_plan(spec)]
    work = {k: epoch_work(with_k(k)) for k in (5, 20, 50)}
    share = (work[20] - work[5]) / (work[50] - work[5])
    assert plan[3].config.num_epochs == round(10 / (0.125 + share * 0.375))
    with pytest.raises(ConfigError, match=r"search.equal_seconds: cannot change"):
        extended(storage, ["search.equal_seconds=false"])
    with pytest.raises(ConfigError, match=r"search.equal_seconds: cannot change"):
        extended(storage, ["search.equal_seconds.seconds=5"])


def test_beyond_the_measured_ones_seconds_are_proportional_to_work():
    configs = [with_k(5), with_k(50)]
    rule = EqualSeconds().with_measured(configs, [1.0, 5.0])
    ratio = epoch_work(with_k(500)) / epoch_work(with_k(50))
    assert rule.epoch_seconds(with_k(500)) == pytest.approx(5.0 * ratio)


def test_configurations_differ_in_k_alone_though_their_warm_ups_are_scaled():
    """Also where one entry leaves the warm-up to its default and another names it."""
    kinds_of = [{"name": "linear"}, {"name": "linear", "warmup_epochs": 5}]
    spec = measured(spec_of({**K_GRID, "annealing": {"grid": kinds_of}}))
    plan = draw_plan(spec)
    warm_ups = [trial.config.annealing.model_dump()["warmup_epochs"] for trial in plan]
    assert warm_ups == [50, 25, 40, 20, 10, 5]
    make = Factory()
    made = [replace(make.trial({}), plan=trial) for trial in plan]
    table = tables(make.record(made))[0]
    groups = strata(table)
    assert [group.num_samples for group in groups] == [(1, 5, 50), (1, 5, 50)]
    assert {group.label for group in groups} == {"warmup_epochs = 10", "warmup_epochs = 5"}
    assert [t.configuration_name for t in plan[:2]] == [
        "K=1 D=20 linear",
        "K=1 D=20 linear warmup_epochs=5",
    ]


def test_a_model_based_sampler_suggests_at_equal_seconds():
    space = {"objective.num_samples": {"int": [1, 50]}, "optimizer.lr": {"loguniform": [1e-4, 1e-2]}}
    spec = spec_of(space, sampler={"name": "tpe"}, num_trials=3)
    found = kinds(spec)
    assert len(found) == MOST_KINDS
    assert {config.objective.num_samples for config in found} >= {1, 50}
    rule = EqualSeconds().with_measured(found, [epoch_work(config) for config in found])
    (trial,) = Suggester(spec.paced(rule)).ask() or []
    assert trial.config.num_epochs == round(rule.seconds / rule.epoch_seconds(trial.config)) >= 20


def test_a_forecast_needs_no_measurement():
    plan = draw_plan(forecast(spec_of()))
    assert [trial.config.num_epochs for trial in plan][-1] == 20
    assert plan[0].config.num_epochs > plan[1].config.num_epochs > 20


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            {"equal_seconds": 3},
            r"search.equal_seconds: 3 is not allowed: must be true or false",
        ),
        ({"equal_seconds": {"seconds": 0}}, r"search.equal_seconds.seconds: 0 is not allowed"),
        ({"equal_seconds": {"second": 1}}, r"search.equal_seconds.second: unknown key: did you mean seconds"),
        (
            {"space": {"num_epochs": {"grid": [3, 4]}}},
            r"search.space.num_epochs: not allowed with",
        ),
    ],
)
def test_mistakes_get_a_line(search, message):
    with pytest.raises(ConfigError, match=message):
        spec_of(**search)


def test_early_stopping_compares_epochs_and_is_refused():
    values = spec_of().to_dict()
    with pytest.raises(ConfigError, match=r"search.equal_seconds: not allowed with scheduler asha"):
        SweepSpec.parse({**values, "scheduler": {"name": "asha"}})
