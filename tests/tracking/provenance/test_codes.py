import dataclasses
from typing import Any

import pytest

from tracking.provenance import sources
from tracking.provenance.codes import code_of
from tracking.provenance.later_code import note
from tracking.records.records import SweepRecord
from tracking.report.words.trials import codes
from tracking.reproduction import reproduce
from tracking.storage.sweep import SweepStorage
from tracking.verification.storage import storage_faults


@pytest.fixture
def storage(trained: SweepStorage) -> SweepStorage:
    return trained


@pytest.fixture
def other(storage: SweepStorage) -> dict[str, Any]:
    """The code of a driver whose evaluation was edited."""
    files = {**storage.record().code["sources"]["files"], "iwae/evaluation/evaluate.py": "0" * 64}
    return {
        **storage.record().code,
        "diff": "+x",
        "sources": {"sha256": sources.digest(files), "files": files},
    }


def under(record: SweepRecord, index: int, session: int, code: dict[str, Any]) -> SweepRecord:
    """The record, where a trial ran under this code."""
    trial = record.trials[index]
    provenance = {**trial.provenance, "code_sha256": code["sources"]["sha256"]}
    attempt = trial.attempts[-1].model_copy(update={"session": session, "provenance": provenance})
    trials = list(record.trials)
    trials[index] = dataclasses.replace(trial, attempts=(attempt,))
    return dataclasses.replace(record, trials=tuple(trials))


def test_the_same_code_leaves_no_second_file(storage: SweepStorage) -> None:
    assert note(storage, 2, storage.record().code) == []
    assert storage.files.entries(storage.path("codes")) == {}


def test_a_later_drivers_code_is_kept_and_told_and_belongs_to_its_trials(
    storage: SweepStorage, other: dict[str, Any]
) -> None:
    (line,) = note(storage, 7, other)
    assert line.startswith("code: iwae/evaluation/evaluate.py changed since the sweep began: ")
    record = under(storage.record(), 1, 7, other)
    assert code_of(storage, record, record.trials[0]) == record.code
    assert code_of(storage, record, record.trials[1])["sources"] == other["sources"]
    assert not [fault for fault in storage_faults(storage) if "codes/" in fault.what]


def test_a_later_drivers_code_that_was_edited_is_a_fault_and_not_believed(
    storage: SweepStorage, other: dict[str, Any]
) -> None:
    note(storage, 8, other)
    path = storage.path("codes/0008.json")
    storage.files.write(path, storage.files.read(path).replace(b"+x", b"+y"))
    record = under(storage.record(), 1, 8, other)
    assert code_of(storage, record, record.trials[1]) == {}
    assert any("codes/0008.json was altered" in fault.what for fault in storage_faults(storage))
    storage.files.delete(path)


def test_the_report_says_that_trials_ran_under_two_codes(
    storage: SweepStorage, other: dict[str, Any]
) -> None:
    record = storage.record()
    assert codes(record) == []
    (sentence,) = codes(under(record, 1, 2, other))
    assert sentence.startswith("Complete trials ran under 2 versions of the code (")
    assert f"1 trial under {other['sources']['sha256'][:12]}…" in sentence


def test_a_reproduction_names_the_files_of_the_code_that_changed(
    storage: SweepStorage, other: dict[str, Any]
) -> None:
    """Also of an installed copy without a commit: the files' hashes know."""
    record = under(storage.record(), 1, 2, other)
    result = reproduce(record, record.trials[1], ran=other)
    assert result.explanation.endswith("; the code is not the same: iwae/evaluation/evaluate.py")
    assert list(result.changed) == ["code.iwae"]
    lost = reproduce(record, record.trials[1], ran={})
    assert lost.explanation.endswith("; the code is not the same: which files differ is not recorded")


def test_a_record_from_before_code_was_hashed_blames_no_code(storage: SweepStorage) -> None:
    record = storage.record()
    trial = record.trials[0]
    provenance = {name: value for name, value in trial.provenance.items() if name != "code_sha256"}
    old = dataclasses.replace(
        trial, attempts=(trial.attempts[-1].model_copy(update={"provenance": provenance}),)
    )
    result = reproduce(record, old)
    assert "code.iwae" not in result.changed
    assert "the code is not" not in result.explanation
