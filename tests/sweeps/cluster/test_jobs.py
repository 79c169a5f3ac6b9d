"""Sweeps through the Job API of a real cluster: a head and a worker with a token, MLflow with a password."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.servers.cluster_place import ClusterPlace
from support.servers.mlflow_server import MlflowServer
from support.servers.proxy import Proxy
from support.servers.ray_cluster import RayCluster
from support.waiting import wait_until
from support.workplace import SPEC
from tracking.provenance import provenance, sources

pytestmark = pytest.mark.service

PASSWORD = "a password for tests"
# Trials of seconds: long enough to be stopped inside.
LONG = (
    SPEC.replace("name: small", "name: long")
    .replace("num_epochs: 4", "num_epochs: 1500")
    .replace("evaluation:\n    {", "evaluation:\n    {every: 50, ")
    .replace("seeds: [0, 1]", "seeds: [0]")
    .replace("checkpoint_every: 0.001", "checkpoint_every: 0.5")
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterPlace]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "user").mkdir()
    mlflow = MlflowServer(folder / "mlflow", PASSWORD)
    cluster = RayCluster(folder / "ray", (1, 1), **mlflow.credentials)
    with mlflow, cluster:
        yield ClusterPlace(folder / "user", cluster, mlflow)


@pytest.fixture(scope="module")
def submitted(place: ClusterPlace) -> tuple[ClusterPlace, dict[str, Any], str]:
    """A submitted sweep that ran to its end: what `submit --json` said, and the log that was followed."""
    said = place.json("submit", place.spec)
    return place, said, place.sweeps("logs", "small", "--follow").stdout


Submitted = tuple[ClusterPlace, dict[str, Any], str]


def test_submit_says_where_the_sweep_went(submitted: Submitted) -> None:
    place, said, _ = submitted
    assert said == {
        "name": "small",
        "submission_id": "sweeps-small-0001",
        "cluster": place.cluster.url,
        "storage": str(place.folder / "sweeps-storage"),
        "tracking_uri": place.mlflow.url,
    }


def test_a_submitted_sweep_ends_recorded_exactly_once(submitted: Submitted) -> None:
    place, _, log = submitted
    assert place.json("verify", "small") == {"ok": True, "faults": []}
    assert place.json("best", "small")["run_id"]
    status = place.json("status", "small")
    assert status["trials"] == {"COMPLETE": 4}
    assert status["job"]["submission_id"] == "sweeps-small-0001"
    assert status["job"]["status"] == "SUCCEEDED"
    assert "4 COMPLETE" in log
    rows = {row["name"]: row for row in place.json("list")["sweeps"]}
    assert rows["small"]["job"]["status"] == "SUCCEEDED"
    assert rows["small"]["parent_run_id"]


def test_the_log_is_plain_lines(submitted: Submitted) -> None:
    log = submitted[2]
    assert "Traceback" not in log
    assert "\x1b" not in log
    assert len(re.findall(r"^\[\d/4\] .*: COMPLETE", log, flags=re.M)) == 4


def test_the_code_that_ran_is_the_code_that_was_submitted(submitted: Submitted) -> None:
    place, _, _ = submitted
    ran = json.loads(place.files("code.json")[0].read_text())
    here = provenance.origin()  # without a commit where this is a copy that has no history
    assert {name: ran[name] for name in ("commit", "diff", "package_version")} == {
        name: here[name] for name in ("commit", "diff", "package_version")
    }
    assert ran["command"].startswith("python -m sweeps run spec.yaml")
    proven = {trial.provenance["code_sha256"] for trial in place.storage().record().trials}
    assert proven == {sources.digest(sources.of_this_process())}


def test_a_used_name_is_refused_with_the_way_to_resume(submitted: Submitted) -> None:
    place, _, _ = submitted
    assert f"sweeps resume small --cluster {place.cluster.url}" in place.refused("submit", place.spec)


@pytest.mark.slow
def test_of_two_submissions_at_once_one_is_taken_and_a_job_that_made_no_sweep_leaves_the_name_free(
    place: ClusterPlace,
) -> None:
    spec = place.folder / "bad.yaml"
    missing = place.folder / "missing.npz"
    text = SPEC.replace("name: small", "name: bad")
    spec.write_text(text.replace("{name: digits, num_train: 200}", f"{{name: npz, path: '{missing}'}}"))
    both = [place.start("submit", spec) for _ in range(2)]
    errors = [process.communicate(timeout=900)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], errors
    assert "sweeps resume bad --cluster" in next(e for e in errors if e.startswith("error: "))
    shown = place.sweeps("logs", "bad", "--follow", code=1).stdout
    assert "error: " in shown
    assert "sweeps_job" not in shown  # the job's answer, which is for us
    assert str(missing) in place.json("status", "bad")["job"]["message"]
    spec.write_text(text)
    assert place.json("submit", spec)["submission_id"] == "sweeps-bad-0002"
    place.sweeps("stop", "bad")
    assert place.jobs()["sweeps-bad-0002"]["status"] not in ("PENDING", "RUNNING")


@pytest.mark.slow
def test_a_stopped_sweep_resumes_to_the_table_of_an_uninterrupted_one(place: ClusterPlace) -> None:
    """Stopped in the middle, resumed on the cluster, and followed over a connection that breaks."""
    spec = place.folder / "long.yaml"
    spec.write_text(LONG)
    place.json("submit", spec)
    wait_until(lambda: place.has_begun("long"))
    place.shows_no_secret_in_command_lines(PASSWORD)
    stopped = place.sweeps("stop", "long")
    assert "stopped through storage" in stopped.stderr
    counts = place.json("status", "long")["trials"]
    assert counts.get("COMPLETE", 0) < 2, counts
    again = place.json("resume", "long", "--cluster", place.cluster.url)
    assert again["submission_id"] == "sweeps-long-0002"
    _follow_over_a_breaking_connection(place, "long")
    assert place.json("status", "long")["trials"] == {"COMPLETE": 2}
    assert place.json("verify", "long")["ok"]
    place.sweeps("run", spec, "--name", "whole")
    assert place.table("long") == place.table("whole")


@pytest.mark.slow
def test_a_sweep_that_must_wait_says_so_and_begins_when_there_is_room(place: ClusterPlace) -> None:
    spec = place.folder / "later.yaml"
    spec.write_text(SPEC.replace("name: small", "name: later"))
    ids = place.occupy(2)
    try:
        time.sleep(6)  # the head counts what is in use every five seconds
        submitted = place.sweeps("submit", spec)
        assert "waits: a trial needs 1 CPU on one node; free now: 0 of 2 CPUs" in submitted.stderr
        assert "sweeps resume later --cluster" in place.refused("submit", spec)
        wait_until(lambda: "waiting for resources" in place.sweeps("logs", "later").stdout)
    finally:
        place.release(ids)
    assert "4 COMPLETE" in place.sweeps("logs", "later", "--follow").stdout


def _follow_over_a_breaking_connection(place: ClusterPlace, name: str) -> None:
    proxy = Proxy(place.cluster.url)
    try:
        with place.start("logs", name, "--follow", "--cluster", proxy.url) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            proxy.cut()
            time.sleep(3)
            proxy.mend()
            # Not `communicate`: it passes by what `readline` has read beyond the line.
            rest, err = process.stdout.read(), process.stderr.read()
    finally:
        proxy.close()
    assert process.returncode == 0, err
    assert "lost the connection" in err
    assert first + rest == place.sweeps("logs", name).stdout


@pytest.mark.slow
def test_ctrl_c_ends_the_following_and_the_job_api_ends_the_job_in_order(place: ClusterPlace) -> None:
    spec = place.folder / "going.yaml"
    spec.write_text(LONG.replace("name: long", "name: going"))
    place.json("submit", spec)
    wait_until(lambda: place.has_begun("going"))
    process = place.start("logs", "going", "--follow")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 130
    assert "the job goes on" in err
    assert place.jobs()["sweeps-going-0001"]["status"] in ("PENDING", "RUNNING")
    assert "ended through the Job API" in place.sweeps("stop", "going", "--timeout", "0.1").stderr
    assert place.jobs()["sweeps-going-0001"]["status"] == "STOPPED"
    # Ray's own three seconds would have killed it before it could say so.
    assert place.storage("going").sessions()[-1]["outcome"] == "interrupted"
    states = {trial.state for trial in place.storage("going").record().trials}
    assert "RUNNING" not in states


def test_status_from_a_machine_that_does_not_see_the_storage(submitted: Submitted) -> None:
    place, said, _ = submitted
    before = set(place.jobs())
    shown = place.without_storage(said, "status", "small", "--json")
    assert json.loads(shown.stdout)["trials"] == {"COMPLETE": 4}, shown.stderr
    assert set(place.jobs()) == before


def test_a_resume_from_there_is_checked_before_it_is_submitted(submitted: Submitted) -> None:
    place, said, _ = submitted
    before = set(place.jobs())
    command = ("resume", "small", "--cluster", place.environment["RAY_API_SERVER_ADDRESS"], "--set")
    refused = place.without_storage(said, *command, "resources.gpus=8")
    assert "resources.gpus: 8 is not allowed: must be <= 0" in refused.stderr
    refused = place.without_storage(said, *command, "base.num_epochs=9")
    assert "base.num_epochs: cannot change on resume" in refused.stderr
    assert set(place.jobs()) == before


def test_what_no_node_can_give_is_refused_with_what_is_there(place: ClusterPlace) -> None:
    line = place.refused("submit", place.spec, "--name", "wide", "--set", "resources.cpus=2")
    assert "resources.cpus: 2 is not allowed: must be <= 1" in line
    assert "2 nodes of 1 CPU" in line
    line = place.refused("submit", place.spec, "--name", "wide", "--set", "resources.gpus=1")
    assert "resources.gpus: 1 is not allowed: must be <= 0" in line
    assert not [id_ for id_ in place.jobs() if "wide" in id_]


def test_a_wrong_or_missing_token_is_one_line_that_names_the_variable(place: ClusterPlace) -> None:
    command = ("submit", place.spec, "--name", "other")
    nowhere = {"HOME": str(place.folder), "RAY_AUTH_TOKEN_PATH": None}
    wrong = place.refused(*command, **nowhere, RAY_AUTH_TOKEN="wrong")
    assert "refuses the token" in wrong
    assert "RAY_AUTH_TOKEN" in wrong
    assert "RAY_AUTH_MODE=token" in place.refused(*command, **nowhere, RAY_AUTH_MODE=None)
    assert "RAY_AUTH_TOKEN_PATH" in place.refused(*command, **nowhere)
    broken = place.refused(*command, **nowhere, RAY_AUTH_TOKEN="not\none line")
    assert "not one line" in broken


def test_a_token_that_others_can_read_is_warned_of(place: ClusterPlace, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(place.cluster.token)
    token.chmod(0o644)
    process = place.start("list", environment={**place.environment, "RAY_AUTH_TOKEN_PATH": str(token)})
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0
    assert f"chmod 600 {token}" in err


def test_an_address_without_a_cluster_is_one_line_at_once(place: ClusterPlace) -> None:
    command = ("submit", place.spec, "--name", "other")
    assert "no cluster at http://127.0.0.1:9" in place.refused(*command, "--cluster", "http://127.0.0.1:9")
    assert "not a Ray dashboard" in place.refused(*command, "--cluster", place.mlflow.url)
    assert "must be the dashboard's address" in place.refused(*command, "--cluster", "ray://127.0.0.1:10001")
    assert "--cluster: missing" in place.refused(*command, RAY_API_SERVER_ADDRESS=None)
    assert "no sweep other" in place.refused("logs", "other", RAY_API_SERVER_ADDRESS=None)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SWEEPS_STORAGE": None}, "--storage: missing"),
        ({"SWEEPS_STORAGE": "here"}, "--storage: 'here' is not allowed: must be an absolute"),
        ({"MLFLOW_TRACKING_URI": None}, "--tracking-uri: missing"),
        ({"MLFLOW_TRACKING_URI": "sqlite:///m.db"}, "--tracking-uri: 'sqlite:///m.db' is not allowed"),
        (
            {"MLFLOW_TRACKING_URI": "http://me:secret@host:5000"},
            "tracking URI: credentials in 'http://***@host:5000'",
        ),
        ({"SWEEPS_STORAGE": "s3://bucket?secret_key=x"}, "storage: secret_key is not allowed"),
    ],
)
def test_what_would_be_lost_or_seen_is_refused(
    place: ClusterPlace, variables: dict[str, str | None], line: str
) -> None:
    shown = place.refused("submit", place.spec, "--name", "other", **variables)
    assert line in shown
    assert "secret@" not in shown


def test_no_secret_is_in_a_job_in_a_log_in_storage_or_in_a_command_line(submitted: Submitted) -> None:
    place, said, log = submitted
    place.shows_no_secret_in_command_lines(PASSWORD)
    places = {"jobs": json.dumps(place.jobs()), "log": log}
    folders = (Path(said["storage"]), place.cluster.temporary, place.cluster.folder, place.mlflow.folder)
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and path not in (place.cluster.token_file, place.mlflow.folder / "auth.ini"):
            places[str(path)] = path.read_bytes().decode("latin-1")
    for secret in (place.cluster.token, PASSWORD):
        assert [where for where, text in places.items() if secret in text] == []
