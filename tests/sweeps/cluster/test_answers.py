"""What passes between a command here and its jobs on the cluster: codes decide, words do not."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.cluster.answers import JOB_VARIABLE, Answer, Code, LogForPeople
from sweeps.cluster.ask import ask, ask_status
from sweeps.cluster.jobs import Cluster, Job
from sweeps.cluster.submitted import explain
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import load_spec
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session
from tracking.storage.sweep import SweepStorage

REWORDED = {"no sweep ": "nothing is called ", "asked {": "bade {", "is not running": "rests"}
ANSWER = Answer("sweeps-small-0001", Code.REFUSED, "base.seed: 1 is not allowed: must be left out")


class JobsHere(Cluster):
    """Runs a job's command as a process of this machine, in the folder that was packed for it.

    Args:
        reword: what else the packed code says, by what it says.
    """

    def __init__(self, reword: Mapping[str, str]) -> None:
        self.address = "http://here:8265"
        self.reword = reword
        self.logs: dict[str, str] = {}

    def submit(
        self,
        id_: str,
        entry_point: str,
        folder: Path,
        metadata: Mapping[str, str],
        variables: Mapping[str, str],
    ) -> None:
        for old, new in self.reword.items():
            _reword(folder, old, new)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", entry_point],
            cwd=folder,
            env={**os.environ, **variables, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.logs[id_] = done.stdout

    def job(self, id_: str) -> Job:
        if id_ not in self.logs:
            raise RecordError(f"no job {id_}")
        return Job(id_, "SUCCEEDED", "", 0, None, None, {})

    def log(self, id_: str) -> str:
        return self.logs[id_]

    def delete(self, id_: str) -> None:
        self.logs.pop(id_, None)


def _reword(folder: Path, old: str, new: str) -> None:
    saying = [path for path in folder.rglob("*.py") if old in path.read_text("utf-8")]
    assert saying, f"no file says {old!r}"
    for path in saying:
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


@pytest.fixture
def cluster() -> JobsHere:
    """Says everything in other words; the tests on a real cluster hear our own."""
    return JobsHere(REWORDED)


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[SweepStorage]:
    spec = load_spec("quickstart")
    storage = SweepStorage(Folder(tmp_path / "storage"), "quickstart")
    storage.create(Decided.of(spec.to_dict(), draw_plan(spec), {}))
    return storage


def test_a_status_is_the_storages_own(cluster: JobsHere, sweep: SweepStorage) -> None:
    values = ask_status(cluster, "quickstart", sweep.files.uri)
    assert values is not None
    assert values["trials"] == {"WAITING": 24}
    assert values["spec"] == json.loads(json.dumps(sweep.spec()))
    assert cluster.logs == {}


def test_a_sweep_that_is_not_there_is_none(cluster: JobsHere, sweep: SweepStorage) -> None:
    assert ask_status(cluster, "other", sweep.files.uri) is None


def test_a_stop_is_requested_of_a_driver_and_only_of_one(cluster: JobsHere, sweep: SweepStorage) -> None:
    assert ask(cluster, "stop", "quickstart", sweep.files.uri).code is Code.NOT_RUNNING
    assert sweep.stop_requested() is None
    with Session(sweep, "sweeps run quickstart"):
        assert ask(cluster, "stop", "quickstart", sweep.files.uri).code is Code.STOP_REQUESTED
        assert sweep.stop_requested() is not None


def test_a_storage_that_cannot_be_read_there_is_told_with_its_cause(cluster: JobsHere) -> None:
    with pytest.raises(RecordError, match=r"^http://here:8265: .*storage: .* is not allowed"):
        ask_status(cluster, "quickstart", "s3://KEY:secret@bucket/sweeps")


def test_a_job_that_gives_no_answer_is_told_with_its_last_line() -> None:
    broken = JobsHere({"import os": "raise SystemExit('no room')"})
    with pytest.raises(RecordError, match=r"gave no status of quickstart: .*no room"):
        ask_status(broken, "quickstart", None)


def job(message: str, exit_code: int | None = 2) -> Job:
    return Job(ANSWER.job, "FAILED", message, exit_code, None, None, {"sweeps.name": "small"})


@pytest.mark.parametrize("said", ["error: base.seed", "the base is wrong", ""])
def test_a_jobs_cause_is_its_answer_whatever_else_it_said(said: str) -> None:
    other = Answer("sweeps-small-0002", Code.FAILED, "of another job")
    message = "\n".join(["Job failed, last logs:", ANSWER.to_json(), other.to_json(), said])
    assert explain(job(message)) == ANSWER.message
    assert explain(job(said)) == "it ended with exit code 2: see `sweeps logs small`"


def test_a_command_in_a_job_ends_with_its_answer(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sweeps", "run", "nothing.yaml"],
        cwd=tmp_path,
        env={**os.environ, JOB_VARIABLE: ANSWER.job},
        capture_output=True,
        text=True,
        check=False,
    )
    said, last = ended.stderr.splitlines()[-2:]
    found = Answer.find(ANSWER.job, ended.stderr)
    assert found is not None
    assert found.code is Code.REFUSED
    assert said == f"error: {found.message}"
    assert Answer.from_line(last) == found


LINES = st.sampled_from(["[1/4] K=5: COMPLETE", "", '{"sweeps_job": 1}', '{"a": 1}', ANSWER.to_json()])


@given(lines=st.lists(LINES, max_size=6), ends=st.booleans(), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_a_log_is_shown_whole_but_for_the_answers(lines: list[str], ends: bool, cuts: list[int]) -> None:
    end = "\n" if ends and lines else ""
    text = "\n".join(lines) + end
    shown: list[str] = []
    log = LogForPeople(shown.append)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, stop in itertools.pairwise(places):
        log.write(text[start:stop])
    log.end()
    kept = [line for line in text.splitlines(keepends=True) if line.rstrip("\n") != ANSWER.to_json()]
    assert "".join(shown) == "".join(kept)
