import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.trainer.metrics import DEFINITIONS, redefined, trained_otherwise
from support.trained import plan
from tracking.errors import RecordError
from tracking.files.places import open_storage
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import Attempt
from tracking.reproduction import judge, reproduce
from tracking.runs.reproduction_run import log as log_reproduction
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


@pytest.fixture
def record(trained: SweepStorage) -> SweepRecord:
    return trained.record()


def test_a_trial_trained_again_is_the_same_to_the_bit(record: SweepRecord):
    heard: list[tuple[int, bool]] = []
    trial = record.trials[3]
    threads = torch.get_num_threads()
    result = reproduce(record, trial, on_epoch=lambda epoch, same: heard.append((epoch, same)))
    assert result.verdict == "BITWISE"
    assert result.first_different_epoch is None
    assert result.differences == ()
    assert heard == [(1, True), (2, True), (3, True), (4, True)]
    assert [e.metrics["train/bound"] for e in result.history] == [
        e.metrics["train/bound"] for e in trial.history
    ]
    assert torch.get_num_threads() == threads


def test_a_stopped_trial_is_reproduced_up_to_its_last_epoch(record: SweepRecord):
    trial = record.trials[0]
    stopped = dataclasses.replace(trial, state=TrialState.STOPPED, history=trial.history[:2], final=None)
    result = reproduce(record, stopped)
    assert result.verdict == "BITWISE"
    assert len(result.history) == 2
    assert result.final is None


def of_version_one(trial: TrialRecord, **numbers: float) -> TrialRecord:
    """The trial as it was recorded before the definitions had a version."""
    then = {name: value for name, value in trial.provenance.items() if name != "definitions"}
    attempts = (trial.attempts[-1].model_copy(update={"provenance": then}),)
    new = {name: value for name, value in (trial.final or {}).items() if not name.endswith("_mc_error")}
    return dataclasses.replace(trial, attempts=attempts, final={**new, **numbers})


def test_numbers_of_an_older_definition_do_not_make_a_trial_diverge(record: SweepRecord):
    trial = of_version_one(record.trials[0])
    result = reproduce(record, trial)
    assert result.verdict == "BITWISE"
    assert result.changed["definitions"] == [None, DEFINITIONS]
    *_, named = result.explanation.partition("recorded under an older definition and not compared: ")
    assert {"test/nll_mc_error", "val/nll_final_mc_error"} <= set(named.split(", "))


def test_only_what_was_redefined_is_left_out(record: SweepRecord):
    trial = record.trials[0]
    wrong = (trial.final or {})["test/bits_per_dim"] + 1e-9  # of a Bernoulli likelihood it means what it did
    old = of_version_one(trial, **{"test/bits_per_dim": wrong})
    result = judge(record, old, trial.history, trial.final, {}, {})
    assert result.verdict == "DIVERGED"
    assert [difference.metric for difference in result.differences] == ["test/bits_per_dim"]


def test_bits_of_a_gaussian_were_redefined():
    gaussian = {"data": {"name": "digits", "binarization": "none"}, "model": {"likelihood": "gaussian"}}
    assert "test/bits_per_dim" in redefined(1, TrainConfig.parse(gaussian))
    assert "test/bits_per_dim" not in redefined(1, TrainConfig.parse({"data": {"name": "digits"}}))
    assert "test/bits_per_dim" not in redefined(2, TrainConfig.parse(gaussian))


def test_what_a_later_version_added_is_not_missed():
    config = TrainConfig()
    assert redefined(2, config) >= {"val/reconstruction_mse_final", "test/reconstruction_mse"}
    assert redefined(DEFINITIONS, config) == frozenset()


def test_an_epochs_number_that_a_later_version_added_is_not_missed(record: SweepRecord):
    trial = record.trials[0]
    more = [
        dataclasses.replace(epoch, metrics={**epoch.metrics, "model/observation_std": 0.1})
        for epoch in trial.history
    ]
    old = of_version_one(trial)
    assert judge(record, old, more, old.final, {}, {}).verdict == "BITWISE"
    assert judge(record, trial, more, trial.final, {}, {}).verdict == "DIVERGED"


def test_other_data_are_refused_before_training(record: SweepRecord):
    trial = record.trials[0]
    other = {"provenance": {**trial.provenance, "dataset_hash": "00" * 32}}
    attempt = trial.attempts[0].model_copy(update=other)
    with pytest.raises(RecordError, match="data: digits is not what the run was trained on"):
        reproduce(record, dataclasses.replace(trial, attempts=(attempt,)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_here_is_named(record: SweepRecord):
    trial = record.trials[0]
    other = {"provenance": {**trial.provenance, "device": "cuda", "gpu": "H200"}}
    attempt = trial.attempts[0].model_copy(update=other)
    with pytest.raises(RecordError, match="was trained on H200: this machine has none"):
        reproduce(record, dataclasses.replace(trial, attempts=(attempt,)))


def test_a_trial_without_an_epoch_cannot_be_reproduced(record: SweepRecord):
    with pytest.raises(RecordError, match="has no recorded epoch to compare with"):
        reproduce(record, TrialRecord(plan()[0], TrialState.WAITING))


def test_a_reproduction_is_a_run_that_names_the_original(
    record: SweepRecord, store: RunStore, database: Path
):
    store.sync(record)
    trial = record.trials[1]
    original = store.trial_run_id(record.name, trial.key)
    store.experiment = "of-another-command"
    result = log_reproduction(store.client, record, trial, original, reproduce(record, trial))
    assert result.original_run_id == original
    run = store.client.run(result.run_id or "")
    assert run.experiment_id == store.client.run(original or "").experiment_id
    assert run.tags["sweeps.kind"] == "reproduction"
    assert run.tags["sweeps.verdict"] == "BITWISE"
    assert run.tags["sweeps.original_run_id"] == original
    assert run.status == "FINISHED"
    assert run.metrics["val/nll_final"] == (trial.final or {})["val/nll_final"]
    with sqlite3.connect(database) as connection:
        query = "SELECT step FROM metrics WHERE run_uuid=? AND key='train/bound' ORDER BY step"
        assert connection.execute(query, (result.run_id,)).fetchall() == [(1,), (2,), (3,), (4,)]
    unit = SweepStorage(open_storage(record.storage), record.name).trial(trial.key).newest()
    assert unit is not None
    assert store.client.artifacts.read(original or "", "evaluation/likelihoods.npz") == unit.likelihoods
    stored = json.loads(store.client.artifacts.read(run.id, "differences.json"))
    assert stored == json.loads(json.dumps(result.to_dict()))
    assert set(stored) >= {
        "run_id",
        "original_run_id",
        "verdict",
        "first_different_epoch",
        "differences",
        "environment",
    }
    assert store.find_trial(run.id) == (record.name, trial.key, record.storage)
    assert original in [run.id for run in store.trial_runs(record.name)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"data": {"name": "digits", "binarization": "threshold"}, "model": {"output_bias": "train_mean"}},
            "the output bias started at the mean of the gray pixels",
        ),
        (
            {
                "data": {"name": "digits", "binarization": "none"},
                "model": {"likelihood": "gaussian", "observation_std": 1e-4},
            },
            "observation_std 0.0001 was replaced",
        ),
        (
            {
                "data": {"name": "digits", "binarization": "none"},
                "model": {"likelihood": "gaussian", "observation_std": 1e-3},
            },
            "",
        ),
        ({"data": {"name": "digits"}, "model": {"output_bias": "train_mean"}}, ""),
    ],
)
def test_what_an_earlier_version_trained_otherwise_is_told(values: dict[str, Any], why: str):
    config = TrainConfig.parse(values)
    assert trained_otherwise(1, config).startswith(why)
    assert bool(trained_otherwise(1, config)) == bool(why)
    assert trained_otherwise(2, config) == ""


def test_reproduction_of_what_was_trained_otherwise_says_why(record: SweepRecord):
    trial = record.trials[0]
    values = {
        **trial.config.to_dict(),
        "model": {**trial.config.model.model_dump(), "output_bias": "train_mean"},
    }
    values["data"] = {**values["data"], "binarization": "threshold"}
    old = {name: value for name, value in trial.provenance.items() if name != "definitions"}
    again = dataclasses.replace(
        trial,
        plan=dataclasses.replace(trial.plan, config=TrainConfig.parse(values)),
        attempts=(Attempt(started=0.0, provenance=old),),
    )
    result = judge(record, again, again.history, again.final, {}, {})
    assert "when it was recorded the output bias started at the mean of the gray pixels" in result.explanation
