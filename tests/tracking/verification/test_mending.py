import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hand_made import Sweep
from tracking.errors import RecordError
from tracking.records.records import TrialState
from tracking.records.shapes import TrialProgress
from tracking.verification.mend import mend
from tracking.verification.storage import storage_faults


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def nothing(content: bytes) -> bytes:
    return b""


def garbage(content: bytes) -> bytes:
    return content[:-20] + b"\xff" * 20


FILES = [
    "sweep.zip",
    "spec.yaml",
    "plan.jsonl",
    "code.json",
    "sessions/0001.json",
    "trials/0/attempt-0001.json",
    "trials/0/final.zip",
    "trials/1/checkpoint-000000000020.zip",
    "trials/1/outcome.json",
    "trials/1/progress.json",
]


@pytest.fixture
def begun(begun: Sweep) -> Sweep:
    """One trial complete, one stopped with two checkpoints, one waiting."""
    begun.storage.trial(begun.plan[1].key).write_outcome(TrialState.STOPPED)
    begun.storage.trial(begun.plan[1].key).write_progress(TrialProgress(time=1.0, fraction=0.5))
    return begun


def path_of(sweep: Sweep, name: str) -> Path:
    if not name.startswith("trials/"):
        return sweep.folder / name
    _, index, file = name.split("/")
    return sweep.trial_folder(int(index)) / file


@pytest.mark.parametrize("tear", [half, nothing, garbage], ids=lambda tear: tear.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_torn_file_is_mended_and_the_plan_is_whole(
    begun: Sweep, name: str, tear: Callable[[bytes], bytes]
) -> None:
    path = path_of(begun, name)
    path.write_bytes(tear(path.read_bytes()))
    plan = [trial.key for trial in begun.plan]
    done = mend(begun.storage)
    assert len(done) == 1, done
    assert list(storage_faults(begun.storage)) == []
    assert [trial.key for trial in begun.storage.plan()] == plan
    assert begun.storage.spec()["name"] == "tiny"
    assert mend(begun.storage) == []


WRONG: dict[str, list[bytes]] = {
    "trials/1/outcome.json": [
        b"{}",
        b"[]",
        b"null",
        b'{"state": "DONE", "error": null, "time": 1.0}',
        b'{"state": "COMPLETE", "error": null, "time": 1.0}',
        b'{"state": "FAILED", "error": 3, "time": 1.0}',
        b'{"state": "STOPPED", "error": null, "time": "now"}',
        b'{"state": [], "error": null, "time": 1.0}',
        b'{"state": "PRUNED", "error": null}',
    ],
    "trials/1/attempt-0001.json": [b"{}", b'{"started": null}'],
    "trials/1/progress.json": [b"{}", b'{"time": "now"}'],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, contents in WRONG.items() for content in contents]
)
def test_json_that_says_something_else_is_torn(begun: Sweep, name: str, content: bytes) -> None:
    path_of(begun, name).write_bytes(content)
    begun.storage.record()
    (fault,) = storage_faults(begun.storage)
    assert f"{name.rpartition('/')[2]} is not JSON or says something else" in fault.what
    assert len(mend(begun.storage)) == 1
    assert list(storage_faults(begun.storage)) == []
    trial = begun.storage.record().trials[1]
    assert trial.state is (TrialState.RUNNING if "outcome" in name else TrialState.STOPPED)
    assert len(trial.attempts) == 1


def test_a_request_to_stop_that_says_nothing_is_obeyed(begun: Sweep) -> None:
    (begun.folder / "stop.json").write_bytes(b"{}")
    assert begun.storage.stop_requested() == "a request that is torn"


def test_a_whole_sweep_is_left_as_it_is(begun: Sweep) -> None:
    before = {path: path.read_bytes() for path in begun.folder.rglob("*") if path.is_file()}
    assert mend(begun.storage) == []
    assert {path: path.read_bytes() for path in begun.folder.rglob("*") if path.is_file()} == before


def test_a_plan_that_lost_a_whole_line_is_not_believed(begun: Sweep) -> None:
    path = begun.folder / "plan.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert len(begun.storage.plan()) == 3
    assert mend(begun.storage) == ["plan.jsonl was not what was decided: written again"]
    assert len(path.read_text().splitlines()) == 3


def test_a_torn_final_unit_leaves_a_trial_to_run_again(begun: Sweep) -> None:
    path = begun.trial_folder(0) / "final.zip"
    path.write_bytes(half(path.read_bytes()))
    mend(begun.storage)
    assert begun.storage.record().trials[0].state is TrialState.RUNNING
    assert not path.exists()


def test_a_torn_attempt_keeps_its_number(begun: Sweep) -> None:
    (begun.trial_folder(1) / "attempt-0001.json").write_bytes(b"{")
    mend(begun.storage)
    begun.begin(1)
    attempts = begun.storage.record().trials[1].attempts
    assert [attempt is None or attempt.torn for attempt in attempts] == [True, False]


def test_unit_and_plan_torn_together_is_told(begun: Sweep) -> None:
    (begun.folder / "sweep.zip").write_bytes(b"PK")
    (begun.folder / "plan.jsonl").write_bytes(b'{"index": 0')
    with pytest.raises(RecordError, match=r"plan\.jsonl cannot be read"):
        mend(begun.storage)


def test_the_unit_is_an_ordinary_zip(begun: Sweep) -> None:
    with zipfile.ZipFile(begun.folder / "sweep.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("plan.jsonl") == (begun.folder / "plan.jsonl").read_bytes()
