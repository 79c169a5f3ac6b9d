import dataclasses

import pytest

from iwae.config.train import TrainConfig
from support.hand_made import EPOCHS, Sweep, planned
from tracking.records.records import PlannedTrial, TrialRecord, TrialState


def test_seeds_are_replicates_of_one_configuration():
    a, b, c = planned(5, seed=0), planned(5, seed=1), planned(6, seed=0)
    assert a.key != b.key
    assert a.configuration_key == b.configuration_key != c.configuration_key


def test_a_line_of_the_plan_comes_back_as_the_same_trial():
    trial = planned(5, seed=3, index=7)
    again = PlannedTrial.from_json(trial.to_json())
    assert (again.index, again.key, again.overrides) == (7, trial.key, trial.overrides)


@pytest.mark.parametrize(
    ("values", "overrides", "name"),
    [
        ({}, {}, "K=1 D=20 s0"),
        ({"seed": 4, "objective": {"name": "vae"}}, {}, "K=1 D=20 vae s4"),
        ({"annealing": {"name": "none"}}, {"annealing": {"name": "none"}}, "K=1 D=20 no-annealing s0"),
        (
            {"annealing": {"name": "linear", "warmup_epochs": 3}},
            {"annealing": {"name": "linear", "warmup_epochs": 3}},
            "K=1 D=20 linear warmup_epochs=3 s0",
        ),
        ({"optimizer": {"lr": 1e-4}}, {"optimizer.lr": 1e-4}, "K=1 D=20 lr=0.0001 s0"),
        ({"model": {"hidden_dims": [8, 4]}}, {"model.hidden_dims": [8, 4]}, "K=1 D=20 hidden_dims=8×4 s0"),
    ],
)
def test_names_say_what_is_varied(values: dict, overrides: dict, name: str):
    assert PlannedTrial(0, overrides, TrainConfig.parse({"data": {"name": "digits"}, **values})).name == name


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("WAITING", False),
        ("RUNNING", False),
        ("STOPPED", False),
        ("COMPLETE", True),
        ("PRUNED", True),
        ("FAILED", True),
    ],
)
def test_a_state_has_ended_when_nothing_more_happens_to_it(state: str, ended: bool):
    assert TrialState(state).ended is ended


def test_a_sweep_groups_and_counts_its_trials(finished: Sweep):
    record = finished.storage.record()
    assert record.varied == ("objective.num_samples",)
    assert len(record.complete) == 3
    assert [len(group) for group in record.configurations.values()] == [1, 1, 1]
    assert record.trial(finished.plan[1].key).config.objective.num_samples == 5
    with pytest.raises(KeyError):
        record.trial("nothing")


def test_training_seconds_are_those_of_the_last_epoch(finished: Sweep):
    trial = finished.storage.record().trials[0]
    assert trial.train_seconds == trial.history[EPOCHS - 1].metrics["time/train_seconds"]
    assert TrialRecord(trial.plan, TrialState.WAITING).train_seconds == 0.0
    assert TrialRecord(trial.plan, TrialState.WAITING).provenance == {}
    assert dataclasses.replace(trial, attempts=(None,)).provenance == {}
