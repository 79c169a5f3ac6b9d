import dataclasses
from collections.abc import Mapping

import pytest

from iwae.config.train import TrainConfig
from iwae.trainer.trainer import Trainer
from tracking.comparison import compare
from tracking.records.records import EpochRecord, SweepRecord, TrialRecord
from tracking.reproduction import judge, reproduce
from tracking.storage.sweep import SweepStorage


@pytest.fixture
def record(trained: SweepStorage) -> SweepRecord:
    return trained.record()


def altered(trial: TrialRecord, epoch: int, metric: str, change: float) -> TrialRecord:
    epochs = list(trial.history)
    metrics = dict(epochs[epoch - 1].metrics)
    metrics[metric] += change
    epochs[epoch - 1] = dataclasses.replace(epochs[epoch - 1], metrics=metrics)
    return dataclasses.replace(trial, history=tuple(epochs))


def drifted(
    trial: TrialRecord, first: int, change: float
) -> tuple[tuple[EpochRecord, ...], Mapping[str, float]]:
    """What a second training on another machine gives: different from some epoch on."""
    history = tuple(
        dataclasses.replace(
            e,
            metrics={
                k: v + change * (e.epoch >= first and not k.startswith("annealing/"))
                for k, v in e.metrics.items()
            },
        )
        for e in trial.history
    )
    return history, {key: value + change for key, value in (trial.final or {}).items()}


def test_an_altered_epoch_is_named_with_both_values(record: SweepRecord):
    trial = altered(record.trials[0], 2, "val/nll", 1e-12)
    result = reproduce(record, trial)
    assert result.verdict == "DIVERGED"
    assert result.first_different_epoch == 2
    (difference,) = result.differences
    assert difference.metric == "val/nll"
    assert difference.original == trial.history[1].metrics["val/nll"]
    assert difference.reproduced == record.trials[0].history[1].metrics["val/nll"]
    assert "the record was altered" in result.explanation


def test_altered_final_numbers_are_not_noise(record: SweepRecord):
    trial = record.trials[0]
    final = {**(trial.final or {}), "val/nll_final": (trial.final or {})["val/nll_final"] + 1e-9}
    result = judge(record, dataclasses.replace(trial, final=final), trial.history, trial.final, {}, {})
    assert result.verdict == "DIVERGED"
    assert "the record was altered" in result.explanation
    assert [d.metric for d in result.differences] == ["val/nll_final"]


def test_an_altered_last_epoch_before_the_same_end_is_no_drift(record: SweepRecord):
    trial = record.trials[0]
    result = judge(record, altered(trial, 4, "train/bound", 1e-9), trial.history, trial.final, {}, {})
    assert (result.verdict, result.first_different_epoch) == ("DIVERGED", 4)
    assert "the end is the same to the bit again" in result.explanation


def test_an_epoch_that_measures_less_does_not_count_as_the_same_again(record: SweepRecord):
    # Epochs 1 and 3 have no val/nll: that they agree says nothing about how it is evaluated.
    trial = record.trials[0]
    history = tuple(
        dataclasses.replace(e, metrics={k: v + 1e-9 * (k == "val/nll") for k, v in e.metrics.items()})
        for e in trial.history
    )
    final = {key: value + 1e-9 for key, value in (trial.final or {}).items()}
    assert judge(record, trial, history, final, {}, {}).verdict == "WITHIN_NOISE"


def test_a_drift_below_the_spread_of_seeds_is_within_noise(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 1e-4)
    result = judge(record, trial, history, final, {}, {"cpu": ["old", "new"]})
    assert result.verdict == "WITHIN_NOISE"
    assert result.first_different_epoch == 2
    assert result.to_dict()["environment"] == {"changed": {"cpu": ["old", "new"]}}


def test_a_drift_beyond_the_spread_of_seeds_diverges(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 3, 100.0)
    result = judge(record, trial, history, final, {}, {})
    assert (result.verdict, result.first_different_epoch) == ("DIVERGED", 3)
    assert "different from epoch 3 on, first in train/bound was" in result.explanation
    assert "val/nll_final moved by 100 nats, its 2 seeds allow" in result.explanation


def test_a_wrong_record_does_not_widen_its_own_tolerance(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 100.0)
    wrong = dataclasses.replace(trial, history=history, final=final)
    others = dataclasses.replace(record, trials=(wrong, *record.trials[1:]))
    assert judge(others, wrong, trial.history, trial.final, {}, {}).verdict == "DIVERGED"


def with_finals(record: SweepRecord, **changes: float) -> SweepRecord:
    """The record with ``change`` added to the NLLs of trials, given by position: ``trial_2=100``."""
    trials = list(record.trials)
    for name, change in changes.items():
        position = int(name.removeprefix("trial_"))
        final = {key: value + change for key, value in (trials[position].final or {}).items()}
        trials[position] = dataclasses.replace(trials[position], final=final)
    return dataclasses.replace(record, trials=tuple(trials))


def test_the_spread_of_another_configuration_is_not_its_own(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 100.0)
    neighbour = with_finals(record, trial_2=1000.0)
    assert judge(neighbour, trial, history, final, {}, {}).verdict == "DIVERGED"
    history, final = drifted(trial, 2, 1e-4)
    assert judge(neighbour, trial, history, final, {}, {}).verdict == "WITHIN_NOISE"


def test_a_seed_that_diverged_is_no_measure_of_noise(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 100.0)
    result = judge(with_finals(record, trial_1=1000.0), trial, history, final, {}, {})
    assert result.verdict == "DIVERGED"
    assert "has no second complete seed that ended alike" in result.explanation


def test_seeds_that_all_ended_worse_than_a_coin_are_measured_by_one_another(record: SweepRecord):
    worse = with_finals(record, trial_0=100.0, trial_1=100.0)
    trial = worse.trials[0]
    history, final = drifted(trial, 2, 1e-4)
    assert judge(worse, trial, history, final, {}, {}).verdict == "WITHIN_NOISE"


def again(trial: TrialRecord, **parts: Mapping[str, object]) -> tuple[EpochRecord, ...]:
    """The epochs of a training with other settings than the trial's."""
    values = trial.config.to_dict()
    values.update({name: {**values[name], **part} for name, part in parts.items()})
    epochs = Trainer(TrainConfig.parse(values)).epochs()
    return tuple(epochs)


def test_a_training_without_its_annealing_diverges_whatever_it_ends_with(record: SweepRecord):
    trial = record.trials[0]
    other = again(trial, annealing={"name": "linear", "warmup_epochs": 3})
    final = {key: value + 1e-6 for key, value in (trial.final or {}).items()}
    for history, then in ((other, trial), (trial.history, dataclasses.replace(trial, history=other))):
        result = judge(record, then, history, final, {}, {})
        assert (result.verdict, result.first_different_epoch) == ("DIVERGED", 1)
        assert result.explanation.startswith("epoch 1: annealing/beta was ")
        assert "which no noise changes" in result.explanation


def test_another_schedule_later_on_is_found_too(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 1e-4)
    result = judge(record, altered(trial, 3, "annealing/beta", -1e-6), history, final, {}, {})
    assert result.verdict == "DIVERGED"
    assert result.explanation.startswith("epoch 3: annealing/beta was 0.999999 and is 1, which no noise")


def test_the_last_digit_of_a_cosine_is_no_other_schedule(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 1, 1e-6)
    then = altered(trial, 1, "annealing/beta", -1.2e-16)
    assert judge(record, then, history, final, {}, {}).verdict == "WITHIN_NOISE"


def test_a_first_epoch_with_another_learning_rate_is_no_drift(record: SweepRecord):
    trial = record.trials[0]
    history = again(trial, optimizer={"lr": 1.2e-3})
    final = {key: value + 1e-6 for key, value in (trial.final or {}).items()}
    result = judge(record, trial, history, final, {}, {})
    assert (result.verdict, result.first_different_epoch) == ("DIVERGED", 1)
    assert "other code, data or settings trained it" in result.explanation


def test_an_epoch_that_lacks_a_number_is_no_drift(record: SweepRecord):
    trial = record.trials[0]
    history, final = drifted(trial, 2, 1e-4)
    metrics = {name: value for name, value in history[3].metrics.items() if name != "val/nll"}
    history = (*history[:3], dataclasses.replace(history[3], metrics=metrics))
    result = judge(record, trial, history, final, {}, {})
    assert result.verdict == "DIVERGED"
    assert "is missing, which no noise changes" in result.explanation


def test_without_a_second_seed_nothing_is_within_noise(record: SweepRecord):
    trial = record.trials[0]
    alone = dataclasses.replace(record, trials=(trial, record.trials[2]))
    history, final = drifted(trial, 2, 1e-3)
    result = judge(alone, trial, history, final, {}, {})
    assert result.verdict == "DIVERGED"
    assert "has no second complete seed that ended alike: without a measured spread" in result.explanation


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "stopped"])
def test_numbers_that_only_rounding_moved_need_no_seeds(record: SweepRecord, complete: bool):
    trial = record.trials[0]
    alone = dataclasses.replace(record, trials=(trial, record.trials[2]))
    kept = trial if complete else dataclasses.replace(trial, final=None)
    for change, verdict in ((1e-9, "WITHIN_NOISE"), (1e-2, "DIVERGED")):
        history, final = drifted(trial, 2, change)
        result = judge(alone, kept, history, final if complete else None, {}, {})
        assert result.verdict == verdict, result.explanation


def test_a_trial_that_went_on_under_other_code_may_have_the_same_bits_again(record: SweepRecord):
    trial = altered(record.trials[0], 2, "val/nll", 1e-9)
    assert reproduce(record, trial).verdict == "DIVERGED"
    (attempt,) = trial.attempts
    assert attempt is not None
    other = attempt.model_copy(update={"provenance": {**attempt.provenance, "code_sha256": "another"}})
    result = reproduce(record, dataclasses.replace(trial, attempts=(other, attempt)))
    assert result.verdict == "WITHIN_NOISE", result.explanation


def test_time_and_memory_are_not_compared_and_a_zero_has_a_sign():
    old = {"time/train_seconds": 1.0, "throughput/examples_per_second": 2.0, "system/peak_memory_bytes": 3.0}
    assert compare({**old, "train/kl": 0.0}, {"train/kl": 0.0}, 1) == []
    (difference,) = compare({"train/kl": 0.0}, {"train/kl": -0.0}, 1)
    assert difference.metric == "train/kl"
    assert [d.reproduced for d in compare({"val/ess": 1.0}, {}, 7)] == [None]
