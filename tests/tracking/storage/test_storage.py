import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from support.hand_made import EPOCHS, STARTED, Sweep, history
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.files.places import open_storage
from tracking.records.records import EpochRecord, TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.manifest import Decided
from tracking.storage.pictures import StoredPictures
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in


def unit_files(sweep: Sweep, index: int = 0) -> list[str]:
    return sorted(path.name for path in sweep.trial_folder(index).glob("*.zip"))


def test_a_unit_comes_back_as_it_was_written():
    unit = Checkpoint(
        70, history(3), {"shared": True, "reason": "two trials on one GPU"}, state=b"\x00state", time=STARTED
    )
    content = unit.to_bytes()
    assert Checkpoint.read(io.BytesIO(content)) == unit
    assert Checkpoint.read(io.BytesIO(content), payload=False).state is None


def test_numbers_keep_all_their_bits():
    values = {"a": 0.1 + 0.2, "b": -0.0, "c": 5e-324, "d": 1.7976931348623157e308}
    content = Checkpoint(1, (EpochRecord(1, STARTED + 1e-6, values),)).to_bytes()
    (epoch,) = Checkpoint.read(io.BytesIO(content)).history
    assert {name: value.hex() for name, value in epoch.metrics.items()} == {
        name: value.hex() for name, value in values.items()
    }
    assert epoch.time == STARTED + 1e-6


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_not_stored(value: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Checkpoint(1, (EpochRecord(1, STARTED, {"val/nll": value}),)).to_bytes()


def test_a_unit_is_an_ordinary_zip_that_other_tools_read(sweep: Sweep):
    sweep.begin(0)
    sweep.complete(0)
    with zipfile.ZipFile(sweep.trial_folder(0) / "final.zip") as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("record.json"))["final"]["val/nll_final"] == 20.0


def test_the_newest_two_checkpoints_are_kept_until_the_end(sweep: Sweep):
    sweep.begin(0)
    for epochs in (1, 2, 3):
        sweep.checkpoint(0, epochs)
    assert unit_files(sweep) == ["checkpoint-000000000020.zip", "checkpoint-000000000030.zip"]
    sweep.complete(0)
    assert unit_files(sweep) == ["final.zip"]


def test_a_torn_checkpoint_is_passed_over_for_the_one_before(sweep: Sweep):
    sweep.begin(0)
    sweep.checkpoint(0, 1)
    sweep.checkpoint(0, 2)
    path = sweep.trial_folder(0) / "checkpoint-000000000020.zip"
    path.write_bytes(path.read_bytes()[:-10])
    assert len(sweep.storage.record().trials[0].history) == 1


def test_every_single_altered_byte_of_the_content_is_noticed():
    content = Checkpoint(1, history(1), state=b"s" * 20, time=STARTED).to_bytes()
    begin = content.index(b'{"')  # not a byte of the header: at 15:24 its time holds a brace
    for position in range(begin, begin + 60):
        changed = bytearray(content)
        changed[position] ^= 1
        with pytest.raises(zipfile.BadZipFile):
            Checkpoint.read(io.BytesIO(changed))


def test_states_follow_from_what_lies_there(sweep: Sweep):
    def states() -> list[str]:
        return [trial.state.value for trial in sweep.storage.record().trials]

    assert states() == ["WAITING", "WAITING", "WAITING"]
    sweep.begin(0)
    sweep.begin(1)
    sweep.complete(1)
    assert states() == ["RUNNING", "COMPLETE", "WAITING"]
    sweep.storage.trial(sweep.plan[0].key).write_outcome(TrialState.STOPPED)
    assert states()[0] == "STOPPED"
    sweep.begin(0)
    assert states()[0] == "RUNNING"
    assert len(sweep.storage.record().trials[0].attempts) == 2
    sweep.storage.trial(sweep.plan[0].key).write_outcome(TrialState.FAILED, "NonFiniteError: x\n\ntraceback")
    record = sweep.storage.record()
    assert record.trials[0].error == "NonFiniteError: x\n\ntraceback"
    assert record.counts == {"WAITING": 1, "COMPLETE": 1, "FAILED": 1}
    sweep.storage.trial(sweep.plan[0].key).clear_outcome()
    assert states()[0] == "RUNNING"


def test_the_plan_comes_back_with_keys_and_names(sweep: Sweep):
    plan = sweep.storage.plan()
    assert [trial.key for trial in plan] == [trial.key for trial in sweep.plan]
    assert [trial.name for trial in plan] == ["K=1 D=2 s0", "K=5 D=2 s0", "K=20 D=2 s0"]
    assert len({trial.configuration_key for trial in plan}) == 3


def test_a_name_is_taken_once(sweep: Sweep):
    with pytest.raises(RecordError, match="the name tiny is taken in"):
        sweep.storage.create(Decided.of({}, [], {}))


def test_an_unknown_sweep_is_told_with_the_known_ones(sweep: Sweep):
    with pytest.raises(RecordError, match=r"no sweep other in .* \(there: tiny\)"):
        SweepStorage(sweep.storage.files, "other").record()
    assert sweeps_in(sweep.storage.files) == ["tiny"]
    assert sweeps_in(Folder(sweep.folder / "nowhere")) == []


def test_a_request_to_stop_is_seen_until_it_is_cleared(sweep: Sweep):
    assert sweep.storage.stop_requested() is None
    sweep.storage.request_stop("budget")
    assert sweep.storage.stop_requested() == "budget"
    sweep.storage.clear_stop()
    assert sweep.storage.stop_requested() is None


def test_pictures_are_read_by_trial(sweep: Sweep):
    grid = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    buffer = io.BytesIO()
    np.savez(buffer, samples=grid)
    key = sweep.plan[0].key
    unit = Checkpoint(40, history(EPOCHS), final={"val/nll_final": 1.0}, pictures=buffer.getvalue())
    sweep.storage.trial(key).write_checkpoint(unit)
    pictures = StoredPictures(sweep.storage, [key])
    np.testing.assert_array_equal(pictures[key]["samples"], grid)
    with pytest.raises(KeyError):
        pictures[sweep.plan[1].key]


def test_storage_is_a_folder_a_file_uri_or_a_bucket(tmp_path: Path):
    assert open_storage(f"file://{tmp_path}/with%20space").uri == str(tmp_path / "with space")
    assert Path(open_storage("relative").uri).is_absolute()
    assert open_storage("s3://bucket/some/where/").uri == "s3://bucket/some/where"
    with pytest.raises(RecordError, match="storage: 'gs://bucket/x' is not allowed: must be a folder, file"):
        open_storage("gs://bucket/x")


@pytest.mark.parametrize("uri", ["s3://key:secret@bucket/x", "s3:///x"])
def test_a_bucket_without_a_name_or_with_credentials_is_refused(uri: str):
    with pytest.raises(
        RecordError, match=r"must be s3://bucket/prefix, with the credentials in AWS_"
    ) as told:
        open_storage(uri)
    assert "secret" not in str(told.value)


def test_a_kill_while_writing_leaves_the_old_unit_or_the_new(sweep: Sweep):
    # The writer rewrites one unit as fast as it can; whenever it is killed, what is there is whole.
    key = sweep.plan[0].key
    program = (
        "from tracking.storage.checkpoint import Checkpoint\n"
        "from tracking.storage.sweep import SweepStorage, open_storage\n"
        f"storage = SweepStorage(open_storage({sweep.storage.files.uri!r}), 'tiny')\n"
        "for n in range(10**6):\n"
        f"    storage.trial({key!r}).write_checkpoint(Checkpoint(n, (), state=bytes(2_000_000)))\n"
        "    print(n, flush=True)\n"
    )
    for pause in (0.05, 0.11, 0.17):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path.cwd())
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        unit = sweep.storage.trial(key).newest()
        assert unit is not None
        assert len(unit.state or b"") == 2_000_000
        for path in (sweep.folder / "trials" / key).glob("checkpoint-*.zip"):
            assert Checkpoint.read(io.BytesIO(path.read_bytes())).steps == int(
                path.stem.removeprefix("checkpoint-")
            )
