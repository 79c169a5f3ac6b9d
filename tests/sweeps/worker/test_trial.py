"""One trial in this process, as a worker runs it, without Ray."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iwae.data.dataset import Dataset
from support.workplace import worker_options
from sweeps.worker import trial_files as desk
from sweeps.worker.outcomes import UNSTORED
from sweeps.worker.trial import IwaeTrial
from tracking.files.folder import Folder
from tracking.records.contents import data_set_of
from tracking.records.records import PlannedTrial, TrialState
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage


@pytest.fixture
def planned(small_config: Any) -> PlannedTrial:
    return PlannedTrial(0, {}, small_config())


@pytest.fixture
def storage(tmp_path: Path, planned: PlannedTrial) -> SweepStorage:
    storage = SweepStorage(Folder(tmp_path / "storage"), "one")
    storage.create(Decided.of({"name": "one"}, [planned], {}))
    return storage


def run(trial: IwaeTrial) -> dict[str, Any]:
    while not (result := trial.step())["over"]:
        pass
    return result


def test_every_epoch_is_durable_before_it_is_reported(storage: SweepStorage, planned: PlannedTrial) -> None:
    trial = IwaeTrial(worker_options(storage), planned)
    for epoch in range(1, planned.config.num_epochs):
        assert trial.step()["epoch"] == epoch
        assert len(storage.trial(planned.key).record(planned).history) == epoch
    assert trial.step()["outcome"] == "COMPLETE"
    assert storage.trial(planned.key).record(planned).state is TrialState.COMPLETE


def test_a_complete_trial_that_is_begun_again_stays_as_it_is(
    storage: SweepStorage, planned: PlannedTrial
) -> None:
    """Its worker died after the last write and before Tune heard of it."""
    run(IwaeTrial(worker_options(storage), planned))
    before = storage.trial(planned.key).newest()
    again = IwaeTrial(worker_options(storage), planned).step()
    assert (again["outcome"], again["epoch"], again["over"]) == ("COMPLETE", planned.config.num_epochs, True)
    assert storage.trial(planned.key).newest() == before
    assert len(storage.trial(planned.key).record(planned).attempts) == 1


def test_a_request_to_stop_that_cannot_be_read_at_once_is_waited_for(
    storage: SweepStorage, planned: PlannedTrial, tmp_path: Path
) -> None:
    request = tmp_path / "storage" / "one" / "stop.json"
    request.symlink_to(request)
    threading.Timer(0.5, request.unlink).start()
    assert run(IwaeTrial(worker_options(storage), planned))["outcome"] == "COMPLETE"


def test_what_attempts_held_adds_up(storage: SweepStorage, planned: PlannedTrial) -> None:
    trial = IwaeTrial(worker_options(storage), planned)
    trial.step()
    storage.request_stop("test")
    trial._trainer.stop()  # type: ignore[union-attr]
    assert run(trial)["outcome"] == "STOPPED"
    first = storage.trial(planned.key).record(planned)
    (attempt,) = first.attempts
    assert first.ended is not None
    assert first.cpu_seconds == pytest.approx(2 * (first.ended - attempt.started))
    storage.clear_stop()
    run(IwaeTrial(worker_options(storage, cpus=1, gpus=0.5), planned))
    second = storage.trial(planned.key).record(planned)
    assert second.ended is not None
    held = second.ended - second.attempts[1].started
    assert second.cpu_seconds == pytest.approx(first.cpu_seconds + held)
    assert second.gpu_seconds == pytest.approx(0.5 * held)
    assert storage.record().cpu_hours == pytest.approx(second.cpu_seconds / 3600)


def test_a_trial_of_a_driver_that_was_superseded_writes_nothing_more(
    storage: SweepStorage, planned: PlannedTrial
) -> None:
    with Session(storage, "first") as session:
        session.close("interrupted")
    trial = IwaeTrial(worker_options(storage), planned)
    trial.step()
    with Session(storage, "second"):
        before = storage.trial(planned.key).names()
        assert run(trial) == {
            "key": planned.key,
            "epoch": 2,
            "score": pytest.approx(50, abs=50),
            "outcome": None,
            "over": True,
        }
        assert storage.trial(planned.key).names() == before


def test_storage_that_fails_is_not_the_trials_failure(
    storage: SweepStorage, planned: PlannedTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PATIENCE_SECONDS", 0.5)
    trial = IwaeTrial(worker_options(storage), planned)
    trial.step()
    folder = tmp_path / "storage" / "one" / "trials" / planned.key
    folder.rename(tmp_path / "away")
    folder.write_text("")  # where its files were to go
    result = run(trial)
    assert result["outcome"] == UNSTORED
    assert str(tmp_path / "storage") in result["error"]
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert storage.trial(planned.key).record(planned).state is TrialState.RUNNING
    assert run(IwaeTrial(worker_options(storage), planned))["outcome"] == "COMPLETE"


# The limit leaves room for half of a minibatch's activations, not for all of them.
LIMITED = """
import json, resource, sys
from sweeps.worker.options import TrialOptions
from sweeps.worker.trial import IwaeTrial
from tracking.records.records import PlannedTrial
options, planned, room = json.loads(sys.argv[1])
trial = IwaeTrial(TrialOptions.from_dict(options, "ab" * 32), PlannedTrial.from_json(planned))
import torch
import iwae.memory
iwae.memory.CACHED_BYTES = 2**50  # as on a GPU, where memory is all that counts
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # what it imports takes memory as well
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + room, size + room))
while not (result := trial.step())["over"]:
    pass
print(json.dumps(result))
"""


def run_with_room(storage: SweepStorage, planned: PlannedTrial, room: int, **others: Any) -> dict[str, Any]:
    values = [worker_options(storage, **others).to_dict(), planned.to_json(), room]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(values)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture
def large(tmp_path: Path, small_config: Any) -> tuple[SweepStorage, PlannedTrial]:
    config = small_config(
        data={"num_train": 100},
        objective={"num_samples": 5000},
        num_epochs=1,
        evaluation={"snr_num_draws": 0},
        activation_bytes=2**40,
    )
    planned = PlannedTrial(0, {}, config)
    storage = SweepStorage(Folder(tmp_path / "storage"), "large")
    storage.create(Decided.of({"name": "large"}, [planned], {}))
    return storage, planned


ROOM = 310_000_000


def test_a_trial_out_of_memory_is_begun_again_with_smaller_chunks(
    large: tuple[SweepStorage, PlannedTrial],
) -> None:
    storage, planned = large
    assert run_with_room(storage, planned, ROOM, shrink_retries=3)["outcome"] == "COMPLETE"
    sizes = [
        attempt.provenance["chunk_size"]
        for attempt in storage.trial(planned.key).record(planned).attempts
        if attempt
    ]
    assert sizes[0] is None
    assert len(sizes) >= 2
    assert sizes[1:] == [50, 25, 13][: len(sizes) - 1]


def test_a_trial_out_of_memory_fails_with_the_cause_where_it_may_not_shrink(
    large: tuple[SweepStorage, PlannedTrial],
) -> None:
    storage, planned = large
    assert run_with_room(storage, planned, ROOM)["outcome"] == "FAILED"
    error = storage.trial(planned.key).record(planned).error
    assert error is not None
    assert error.startswith("out of memory with 100 images at once: ")


def test_worker_that_reads_other_data_ends_the_sweep_and_fails_no_trial(
    storage: SweepStorage, planned: PlannedTrial, digits: Dataset
) -> None:
    decided = replace(data_set_of(planned.config.data, digits), sha256="ab" * 32)
    result = run(IwaeTrial(worker_options(storage, data=(decided,)), planned))
    assert result["outcome"] == UNSTORED
    assert f"its SHA-256 is {digits.content_hash[:12]}… and was abababababab…" in result["error"]
    assert storage.trial(planned.key).record(planned).state is TrialState.WAITING
