"""Sweeps whose data changed under them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iwae.config.data import DataConfig
from iwae.data.dataset import Dataset
from support.hand_made import EPOCHS, Sweep, history
from tracking.analysis.configurations import tables
from tracking.errors import OtherDataError
from tracking.records.contents import (
    data_remarks,
    data_set_of,
    measured_on,
    other_data,
    refuse_changed,
    refuse_other,
)
from tracking.records.planned import DataSet
from tracking.records.shapes import Attempt
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.manifest import Decided

DIGITS = DataConfig(name="digits")
OURS, OTHER = "ab" * 32, "cd" * 32  # the first is what `hand_made` says that every attempt was trained on


def held(config: DataConfig = DIGITS, sha256: str = OURS, measured: str = "ef" * 32) -> DataSet:
    return DataSet(config, sha256, measured, {"validation": 0, "test": 0}, {"validation": 300, "test": 360})


def finished(folder: Path) -> Sweep:
    sweep = Sweep(folder)
    sweep.finish()
    return sweep


def retrained(sweep: Sweep, index: int, sha256: str) -> None:
    """Another attempt of a trial, which read other data."""
    attempt = Attempt(started=1.0, provenance={"device": "cpu", "threads": 1, "dataset_hash": sha256})
    sweep.storage.trial(sweep.plan[index].key).begin_attempt(attempt)
    unit = Checkpoint(EPOCHS * 10, history(EPOCHS), final={"val/nll_final": 9.0, "test/nll": 9.0})
    sweep.storage.trial(sweep.plan[index].key).write_checkpoint(unit)


def test_other_content_is_refused_with_both_hashes(digits: Dataset, tmp_path: Path) -> None:
    record = finished(tmp_path).storage.record()
    with pytest.raises(
        OtherDataError, match=rf"is {digits.content_hash[:12]}… and was {OURS[:12]}…: put the"
    ):
        refuse_changed(record, DIGITS, digits)  # a sweep from before its data were decided
    with pytest.raises(OtherDataError, match=rf"is {digits.content_hash[:12]}… and was {OTHER[:12]}…"):
        refuse_changed(replace(record, data=(held(sha256=OTHER),)), DIGITS, digits)
    refuse_other([data_set_of(DIGITS, digits)], DIGITS, digits)


def test_one_pixel_is_other_content(digits: Dataset) -> None:
    test = digits.test.clone()
    test[7, 3] ^= 1
    altered = replace(digits, test=test, content_hash=OTHER)
    fewer = DIGITS.model_copy(update={"num_train": 100})
    known = [data_set_of(DIGITS, digits)]
    for config in (DIGITS, fewer):  # the second was not there to be read, and is measured on the same images
        with pytest.raises(OtherDataError, match="SHA-256"):
            refuse_other(known, config, altered)
    trained = replace(digits, train=digits.train[:100], content_hash=OTHER)
    refuse_other(known, fewer, trained)


def test_verify_finds_a_trial_that_was_trained_on_other_data(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    assert not list(other_data(sweep.storage.record()))
    retrained(sweep, 1, OTHER)
    found = list(other_data(sweep.storage.record()))
    assert [key for key, _ in found] == [sweep.plan[1].key]
    assert re.search(rf"SHA-256 {OTHER[:12]}…: must be {OURS[:12]}…", found[0][1])


def test_results_on_two_contents_never_share_a_table(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    assert len(tables(sweep.storage.record())) == 1
    retrained(sweep, 1, OTHER)
    found = tables(sweep.storage.record())
    assert [[row.num_samples for row in table.configurations] for table in found] == [[1, 20], [5]]
    assert OTHER[:8] in found[1].yardstick.description


def test_seeds_of_one_configuration_on_two_contents_are_never_averaged(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, ks=(5, 5))
    seeds = [replace(t, config=t.config.model_copy(update={"seed": s})) for s, t in enumerate(sweep.plan)]
    sweep.plan = seeds
    sweep.storage.write_plan(seeds)
    sweep.finish()
    assert len(sweep.storage.record().configurations) == 1
    assert [len(row.trials) for row in tables(sweep.storage.record())[0].configurations] == [2]
    retrained(sweep, 1, OTHER)
    assert [[len(row.trials) for row in t.configurations] for t in tables(sweep.storage.record())] == [
        [1],
        [1],
    ]


def test_trials_that_differ_in_training_images_alone_are_measured_on_the_same(tmp_path: Path) -> None:
    record = finished(tmp_path).storage.record()
    fewer = DIGITS.model_copy(update={"num_train": 100})
    known = (held(), held(fewer, OTHER))
    assert set(measured_on(replace(record, data=known)).values()) == {"ef" * 32}
    assert set(measured_on(record).values()) == {""}


def test_decided_data_come_back_and_an_old_sweep_has_none(digits: Dataset, tmp_path: Path) -> None:
    one = data_set_of(DIGITS, digits)
    decided = Decided.of({"name": "x"}, [], {}, [one])
    assert Decided.read(decided.to_bytes()).data() == (one,)
    old = Decided({name: decided.members[name] for name in Decided.NAMES})
    assert Decided.read(old.to_bytes()).data() == ()
    sweep = Sweep(tmp_path)
    sweep.storage.write_data([one])
    assert sweep.storage.record().data == (one,)


def test_images_that_are_trained_and_tested_on_are_told(digits: Dataset, tmp_path: Path) -> None:
    both = replace(digits, test=torch.cat([digits.train[:5], digits.test[:10]]))
    record = replace(Sweep(tmp_path).storage.record(), data=(data_set_of(DIGITS, both),))
    assert data_remarks(record.data) == [
        "5 of 15 test items of digits are also training items: the test NLL is lower than on new ones."
    ]


def test_remarks_on_the_data_are_recorded_and_a_record_without_has_none(digits: Dataset) -> None:
    one = data_set_of(DIGITS, digits)
    assert "remarks" not in one.to_dict()
    told = replace(one, remarks=("Something of digits.",))
    assert DataSet.from_dict(json.loads(json.dumps(told.to_dict()))) == told
    assert DataSet.from_dict(json.loads(json.dumps(one.to_dict()))) == one
