"""An edit of a file and of its seal is found by the head of the chain that MLflow keeps."""

import json
import zipfile
from pathlib import Path

import pytest
from safetensors.numpy import save

from support.hand_made import Sweep, history
from support.zip_edits import rewritten
from tracking.records.records import TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


def content(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "sync" not in path.name
    }


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def resealed_result(sweep: Sweep) -> None:
    final = {"val/nll_final": -10.0, "test/nll": 22.0}
    unit = Checkpoint(40, history(4), final=final, weights=save({}), time=1_700_000_060.0)
    sweep.storage.trial(sweep.plan[1].key).write_checkpoint(unit)


def resealed_attempt(sweep: Sweep) -> None:
    name = f"trials/{sweep.plan[1].key}/attempt-0001.json"
    values = sweep.storage.read_json(name) or {}
    sweep.storage.write_json(name, {**values, "hostname": "another"})


@pytest.mark.parametrize("alter", [resealed_result, resealed_attempt])
def test_what_was_altered_with_its_seal_is_found_and_not_taken_for_the_truth(
    recorded: Sweep, store: RunStore, alter
) -> None:
    alter(recorded)
    key = recorded.plan[1].key
    run = store.client.run(store.trial_run_id("tiny", key) or "")
    before = content(recorded.folder)
    for repair in (False, True):
        if repair:
            repair_sweep(recorded.storage, RunStore(store.tracking_uri).open())
        (fault,) = verify(recorded.storage, RunStore(store.tracking_uri).open())
        assert fault.trial_key == key
        assert "was altered since run" in fault.what
        assert "`sweeps resume tiny` then trains the trial again" in fault.what
    assert content(recorded.folder) == before
    now = store.client.run(store.trial_run_id("tiny", key) or "")
    assert (now.id, now.metrics, now.tags) == (run.id, run.metrics, run.tags)


def test_an_altered_result_with_its_old_seal_keeps_the_recorded_one(recorded: Sweep, store: RunStore) -> None:
    path = recorded.trial_folder(1) / "final.zip"
    with zipfile.ZipFile(path) as archive:
        record = archive.read("record.json").replace(b'"val/nll_final": 21.0', b'"val/nll_final": -10.0')
    rewritten(path, "record.json", record)
    run = store.trial_run_id("tiny", recorded.plan[1].key)
    repair_sweep(recorded.storage, store)
    faults = verify(recorded.storage, store)
    assert any("final.zip was altered: record.json is not what was sealed" in fault.what for fault in faults)
    assert store.client.run(run or "").metrics["val/nll_final"] == 21.0


def test_a_plan_that_was_altered_with_its_seal_is_found_and_not_recorded(
    recorded: Sweep, store: RunStore
) -> None:
    decided = recorded.storage.decided()
    spec = {**decided.spec(), "base": {"num_epochs": 400}}
    altered = type(decided)({**decided.members, "spec.yaml": json.dumps(spec).encode()})
    (recorded.folder / "sweep.zip").write_bytes(altered.to_bytes())
    for repair in (True, False):
        if repair:
            repair_sweep(SweepStorage(recorded.storage.files, "tiny"), store)
        faults = verify(SweepStorage(recorded.storage.files, "tiny"), store)
        assert any("spec, plan, code or data were altered since run" in fault.what for fault in faults)
    parent = store.find_sweep("tiny")
    assert b"400" not in store.client.artifacts.read(parent or "", "spec.yaml")


def test_what_the_service_itself_decides_later_is_no_alteration(recorded: Sweep, store: RunStore) -> None:
    spec = recorded.storage.spec()
    recorded.storage.write_spec({**spec, "budget": {"wall_clock": "1h"}})
    recorded.storage.write_spec({**spec, "budget": {"wall_clock": "2h"}})
    fresh = RunStore(store.tracking_uri).open()
    fresh.sync(recorded.storage.record())
    assert verify(recorded.storage, fresh) == []


def test_a_trial_that_is_trained_again_continues_its_chain(recorded: Sweep, store: RunStore) -> None:
    (recorded.trial_folder(1) / "final.zip").unlink()
    recorded.begin(1)
    resealed_result(recorded)
    fresh = RunStore(store.tracking_uri).open()
    repair_sweep(recorded.storage, fresh)
    assert verify(recorded.storage, fresh) == []
    run = fresh.client.run(fresh.trial_run_id("tiny", recorded.plan[1].key) or "")
    assert run.metrics["val/nll_final"] == -10.0


def test_an_altered_outcome_is_left_to_a_person(begun: Sweep, store: RunStore) -> None:
    begun.storage.trial(begun.plan[1].key).write_outcome(TrialState.FAILED, "nan", ended=1.7e9)
    store.sync(begun.storage.record())
    path = begun.trial_folder(1) / "outcome.json"
    path.write_text(path.read_text().replace("FAILED", "PRUNED"))
    before = path.read_bytes()
    repair_sweep(begun.storage, store)
    faults = verify(begun.storage, store)
    assert any("outcome.json was altered" in fault.what for fault in faults)
    assert path.read_bytes() == before
    run = store.client.run(store.trial_run_id("tiny", begun.plan[1].key) or "")
    assert run.status == "FAILED"
    path.unlink()
    repair_sweep(begun.storage, store)
    assert verify(begun.storage, store) == []
