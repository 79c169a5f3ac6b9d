import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hand_made import EPOCHS, STARTED, Sweep, forecast, history, probe
from tracking.records.records import TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.store import RunStore
from tracking.verification.fault import FaultKind
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def torn_unit(sweep: Sweep) -> None:
    path = sweep.trial_folder(1) / "final.zip"
    content = bytearray(path.read_bytes())
    content[content.index(b"history") + 20] ^= 1  # in the middle of a member: its CRC is wrong
    path.write_bytes(bytes(content))


def cut_unit(sweep: Sweep) -> None:
    path = sweep.trial_folder(1) / "final.zip"
    path.write_bytes(path.read_bytes()[:-40])


def folder_without_a_plan(sweep: Sweep) -> None:
    folder = sweep.trial_folder(1)
    shutil.copytree(folder, folder.with_name("f" * 64))


def lost_attempts(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "attempt-0001.json").unlink()


def torn_attempt(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "attempt-0001.json").write_text('{"started": 1')


def pruned_without_epochs(sweep: Sweep) -> None:
    (sweep.trial_folder(1) / "final.zip").unlink()
    sweep.storage.trial(sweep.plan[1].key).write_outcome(TrialState.PRUNED)


def torn_session(sweep: Sweep) -> None:
    (sweep.folder / "sessions" / "0001.json").write_text('{"hostname": "els')


def torn_probe(sweep: Sweep) -> None:
    sweep.storage.add_probes([probe(sweep.plan[0], 0.01)])
    path = sweep.folder / "probe.json"
    path.write_text(path.read_text()[:-20])


def altered_probe(sweep: Sweep) -> None:
    sweep.storage.add_probes([probe(sweep.plan[0], 0.01)])
    path = sweep.folder / "probe.json"
    path.write_text(path.read_text().replace("0.01,", "0.001,"))


def torn_forecast(sweep: Sweep) -> None:
    sweep.storage.write_forecast(1, forecast(*sweep.plan))
    (sweep.folder / "forecasts" / "0001.json").write_text("{")


def unit_that_skips_an_epoch(sweep: Sweep) -> None:
    epochs = history(EPOCHS)
    unit = Checkpoint(40, (*epochs[:1], *epochs[2:]), final={"val/nll_final": 1.0}, weights=b"", time=STARTED)
    sweep.storage.trial(sweep.plan[1].key).write_checkpoint(unit)


def unreadable_weights(sweep: Sweep) -> None:
    unit = Checkpoint(40, history(EPOCHS), final={"val/nll_final": 1.0}, weights=b"??", time=STARTED)
    sweep.storage.trial(sweep.plan[1].key).write_checkpoint(unit)


def plain_plan(sweep: Sweep) -> Path:
    """The plan of a sweep whose unit was lost."""
    (sweep.folder / "sweep.zip").unlink()
    return sweep.folder / "plan.jsonl"


def lost_unit(sweep: Sweep) -> None:
    plain_plan(sweep)


def shorter_plan(sweep: Sweep) -> None:
    path = sweep.folder / "plan.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def altered_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text().replace('"num_samples": 5', '"num_samples": 6', 2))


def doubled_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")


def cut_plan(sweep: Sweep) -> None:
    path = plain_plan(sweep)
    path.write_text(path.read_text()[:-30])


FAULTS_OF_STORAGE: list[tuple[Callable[[Sweep], None], str, FaultKind]] = [
    (torn_unit, "final.zip is torn", FaultKind.TORN),
    (cut_unit, "final.zip is torn", FaultKind.TORN),
    (folder_without_a_plan, "this folder belongs to no trial of the plan", FaultKind.EXTRA),
    (lost_attempts, "has results and no attempt", FaultKind.MISSING),
    (torn_attempt, "attempt-0001.json is not JSON", FaultKind.TORN),
    (unit_that_skips_an_epoch, r"has the epochs \[1, 3, 4\]: must be", FaultKind.DIFFERENT),
    (unreadable_weights, "has weights that cannot be read", FaultKind.TORN),
    (pruned_without_epochs, "it was pruned and nothing is left of its epochs", FaultKind.MISSING),
    (torn_session, "sessions/0001.json is not JSON", FaultKind.TORN),
    (torn_probe, "probe.json is not JSON", FaultKind.TORN),
    (altered_probe, "probe.json was altered.*--repair forgets what it says", FaultKind.ALTERED),
    (torn_forecast, "forecasts/0001.json is not JSON", FaultKind.TORN),
    (lost_unit, "sweep.zip is torn or missing", FaultKind.TORN),
    (shorter_plan, "plan.jsonl is not what was decided", FaultKind.DIFFERENT),
    (altered_plan, "line 2 of plan.jsonl has another key", FaultKind.DIFFERENT),
    (doubled_plan, "the plan has it 2 times", FaultKind.EXTRA),
    (cut_plan, "line 3 of plan.jsonl cannot be read", FaultKind.UNREADABLE_PLAN),
]


@pytest.mark.parametrize(
    ("plant", "words", "kind"), FAULTS_OF_STORAGE, ids=[p.__name__ for p, *_ in FAULTS_OF_STORAGE]
)
def test_what_is_wrong_in_storage_is_found(
    recorded: Sweep, store: RunStore, plant: Callable[[Sweep], None], words: str, kind: FaultKind
):
    plant(recorded)
    faults = verify(recorded.storage, store)
    assert kind in {fault.kind for fault in faults if re.search(words, fault.what)}, faults


@pytest.mark.parametrize("plant", [torn_probe, altered_probe, torn_forecast])
def test_a_damaged_probe_or_forecast_harms_nothing_and_is_removed(
    recorded: Sweep, store: RunStore, plant: Callable[[Sweep], None]
):
    plant(recorded)
    record = recorded.storage.record()
    assert record.counts == {"COMPLETE": 3}
    assert record.probes == ()
    assert record.forecasts == {}
    assert any("removed" in line for line in repair_sweep(recorded.storage, store))
    assert verify(recorded.storage, store) == []
