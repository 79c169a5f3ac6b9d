import math
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from iwae.config.train import TrainConfig
from sweeps.plan.plan import draw_plan
from sweeps.plan.samplers import Suggester, source_for
from sweeps.spec.spec import SweepSpec
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState

SPACE = {
    "optimizer.lr": {"loguniform": [1e-5, 1e-1]},
    "objective.num_samples": {"int": [1, 50]},
    "annealing": {"choice": [{"name": "none"}, {"name": "linear", "warmup_epochs": {"int": [5, 20]}}]},
}
SMALL = {"objective.num_samples": {"grid": [1, 5, 20]}, "model.latent_dim": {"choice": [2, 3]}}
MODEL_BASED = pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])


def spec_of(sampler: str, num_trials: int, space: Any = SPACE, seed: int = 1, **search: Any) -> SweepSpec:
    return SweepSpec.parse(
        {
            "name": "demo",
            "base": {"data": {"name": "digits"}},
            "search": {
                "space": space,
                "sampler": {"name": sampler, "seed": seed},
                "num_trials": num_trials,
                **search,
            },
        }
    )


def loss(config: TrainConfig) -> float:
    """Best at lr = e^-6 and K = 20, with annealing."""
    bump = 0.5 if config.annealing.name == "none" else 0.0
    return (math.log(config.optimizer.lr) + 6) ** 2 + abs(config.objective.num_samples - 20) / 10 + bump


def record_of(trials: list[TrialRecord]) -> SweepRecord:
    return SweepRecord("demo", "/storage", {}, {}, (), tuple(trials))


def ended(planned: PlannedTrial, value: float | None, state: TrialState = TrialState.COMPLETE) -> TrialRecord:
    return TrialRecord(planned, state, final=None if value is None else {"val/nll_final": value})


def play(
    spec: SweepSpec,
    trials: list[TrialRecord],
    score: Callable[[TrainConfig], float] = loss,
    until: int | None = None,
) -> list[TrialRecord]:
    """One configuration at a time until the sampler has no more, or until so many trials are there."""
    source = source_for(spec, record_of(trials))
    while until is None or len(trials) < until:
        asked = source.ask()
        assert asked is not None
        if not asked:
            break
        trials = [*trials, *(ended(planned, score(planned.config)) for planned in asked)]
        source.tell(record_of(trials))
    return trials


def keys(trials: list[TrialRecord]) -> list[str]:
    return [trial.key for trial in trials]


def values(trials: list[TrialRecord]) -> list[float]:
    return [trial.final["val/nll_final"] for trial in trials if trial.final]


@MODEL_BASED
def test_a_sampler_suggests_as_many_different_configurations_as_asked_for(sampler: str) -> None:
    trials = play(spec_of(sampler, 11, seeds=[0, 1]), [])
    assert [trial.plan.index for trial in trials] == list(range(22))
    assert [trial.config.seed for trial in trials] == [0, 1] * 11
    assert len({trial.plan.configuration_key for trial in trials}) == 11


@MODEL_BASED
def test_the_same_seed_suggests_the_same_and_another_seed_does_not(sampler: str) -> None:
    first = play(spec_of(sampler, 8), [])
    assert keys(play(spec_of(sampler, 8), [])) == keys(first)
    assert not set(keys(play(spec_of(sampler, 8, seed=2), []))) & set(keys(first))


@pytest.fixture(scope="module")
def by_chance() -> float:
    """The median loss of configurations drawn at random."""
    return median(loss(trial.config) for trial in draw_plan(spec_of("random", 500)))


def started_early(sampler: str, number: int) -> SweepSpec:
    """A spec whose model is used after five configurations."""
    document = spec_of(sampler, number).to_dict()
    document["search"]["sampler"]["startup_trials"] = 5
    return SweepSpec.parse(document)


@pytest.mark.parametrize(("sampler", "number"), [("tpe", 40), ("gp", 12), ("cmaes", 60)])
def test_a_sampler_learns_where_the_loss_is_low(sampler: str, number: int, by_chance: float) -> None:
    trials = play(started_early(sampler, number), [])
    assert median(values(trials)[number // 2 :]) < 0.5 * by_chance


@pytest.mark.parametrize(("sampler", "number"), [("tpe", 40), ("gp", 12), ("cmaes", 80)])
def test_a_sweep_that_goes_on_knows_what_was_observed(sampler: str, number: int, by_chance: float) -> None:
    spec = started_early(sampler, number)
    before = play(spec, [], until=number // 2)
    after = play(spec, before)
    assert keys(after)[: len(before)] == keys(before)
    assert len(set(keys(after))) == len(after) == number
    assert median(values(after)[-number // 3 :]) < 0.5 * by_chance


def test_a_mean_over_seeds_is_what_is_told() -> None:
    spec = spec_of("tpe", 3, seeds=[0, 1])
    suggester = Suggester(spec)
    asked = suggester.ask()
    suggester.tell(record_of([ended(asked[0], 10.0), TrialRecord(asked[1], TrialState.RUNNING)]))
    assert told(suggester) == []
    suggester.tell(record_of([ended(asked[0], 10.0), ended(asked[1], 14.0)]))
    assert told(suggester) == [12.0]
    suggester.tell(record_of([ended(asked[0], 10.0), ended(asked[1], 14.0)]))
    assert told(suggester) == [12.0]


@pytest.mark.parametrize(
    ("second", "state", "name"),
    [
        (None, TrialState.FAILED, "FAIL"),
        (None, TrialState.PRUNED, "PRUNED"),
        (math.nan, TrialState.COMPLETE, "FAIL"),
    ],
)
def test_what_has_no_value_is_never_told_as_a_number(
    second: float | None, state: TrialState, name: str
) -> None:
    suggester = Suggester(spec_of("tpe", 3, seeds=[0, 1]))
    asked = suggester.ask()
    suggester.tell(record_of([ended(asked[0], 10.0), ended(asked[1], second, state)]))
    assert told(suggester) == []
    assert [trial.state.name for trial in suggester._study.trials] == [name]
    assert suggester.ask()


def test_a_stopped_trial_is_still_open() -> None:
    suggester = Suggester(spec_of("tpe", 3))
    asked = suggester.ask()
    suggester.tell(record_of([ended(asked[0], None, TrialState.STOPPED)]))
    assert [trial.state.name for trial in suggester._study.trials] == ["RUNNING"]


def test_open_trials_of_another_process_count_and_are_told_when_they_end() -> None:
    spec = spec_of("tpe", 2)
    planned = Suggester(spec).ask()[0]
    suggester = source_for(spec, record_of([TrialRecord(planned, TrialState.RUNNING)]))
    second = suggester.ask()
    assert [trial.index for trial in second] == [1]
    assert second[0].key != planned.key
    assert suggester.ask() == []
    suggester.tell(record_of([ended(planned, 3.0), TrialRecord(second[0], TrialState.RUNNING)]))
    assert told(suggester) == [3.0]


def told(suggester: Suggester) -> list[float]:
    return [trial.value for trial in suggester._study.trials if trial.state.name == "COMPLETE"]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_small_space_is_used_up_without_training_anything_twice(sampler: str) -> None:
    trials = play(spec_of(sampler, 50, SMALL), [], lambda config: 1 / config.objective.num_samples)
    assert len(trials) == len(set(keys(trials))) == 6


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_small_space_is_used_up_although_no_result_is_heard(sampler: str) -> None:
    suggester = Suggester(spec_of(sampler, 50, SMALL))
    asked = [suggester.ask() for _ in range(7)]
    assert len({trials[0].key for trials in asked[:6]}) == 6
    assert asked[6] == []


def test_trials_in_flight_are_all_different() -> None:
    suggester = Suggester(spec_of("cmaes", 20, {"objective.num_samples": {"int": [1, 20]}}))
    assert len({suggester.ask()[0].key for _ in range(20)}) == 20
    assert suggester.ask() == []


def test_sampler_options_reach_optuna() -> None:
    def optuna_sampler(name: str, **options: Any) -> Any:
        document = spec_of(name, 3).to_dict()
        document["search"]["sampler"].update(options)
        return Suggester(SweepSpec.parse(document))._study.sampler

    tpe = optuna_sampler("tpe", startup_trials=3, candidates=7)
    assert (tpe._n_startup_trials, tpe._n_ei_candidates) == (3, 7)
    assert optuna_sampler("gp", startup_trials=4)._n_startup_trials == 4
    assert optuna_sampler("cmaes", population=9)._popsize == 9
