"""docker-compose.yml in action: its commands, environments and health checks as processes of this machine."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.compose import services
from support.compose.services import Services
from support.workplace import SPEC

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(services.missing() is not None, reason=str(services.missing())),
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Services]:
    with services.running(services.random_secrets()) as running:
        yield running


URL = "http://ray-head:8265"


def submit(cluster: Services, spec: str) -> dict[str, Any]:
    """Submit a sweep from another host, follow it to its end, and say what `submit` and `status` said.

    That host has the token and no credentials of the tracking store, as a user's laptop.
    """
    worker = next(box for name, box in cluster.containers.items() if name.startswith("ray-worker"))
    (worker.folder / "home" / "spec.yaml").write_text(spec)
    where = ("--storage", "/srv/sweeps", "--tracking-uri", "http://mlflow:5000")
    done = worker.run("sweeps", "submit", "spec.yaml", "--cluster", URL, *where, "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    followed = worker.run("sweeps", "logs", "small", "--follow", "--cluster", URL, timeout=900)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    status = worker.run("sweeps", "status", "small", "--cluster", URL, "--json", timeout=300)
    assert status.returncode == 0, status.stderr
    return {**json.loads(status.stdout), **json.loads(done.stdout)}


@pytest.fixture(scope="module")
def finished(cluster: Services) -> dict[str, Any]:
    return submit(cluster, SPEC)


def on_head(cluster: Services, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return cluster.containers["ray-head"].run(*words, variables=variables)


def test_a_sweep_is_recorded_whole(cluster: Services, finished: dict[str, Any]) -> None:
    assert finished["trials"] == {"COMPLETE": 4}
    assert finished["tracking_uri"] == "http://mlflow:5000"
    verified = on_head(cluster, "sweeps", "verify", "small", "--json")
    assert json.loads(verified.stdout) == {"ok": True, "faults": []}
    # Weights went through the tracking server's proxy into the volume.
    weights = list((cluster.folder / "volumes" / "artifacts").rglob("model/model.safetensors"))
    assert len(weights) >= 4


def test_trials_ran_on_the_workers(cluster: Services, finished: dict[str, Any]) -> None:
    hosts = [host for host in cluster.containers if list(trial_logs(cluster, host))]
    assert hosts
    assert set(hosts) <= {"ray-worker-1", "ray-worker-2"}


def trial_logs(cluster: Services, host: str) -> Iterator[Path]:
    """Logs of workers of Ray that were a trial."""
    for path in (cluster.folder / host / "tmp").glob("session_*/logs/worker-*"):
        if ":actor_name:" in (text := path.read_text(errors="replace")) and "IwaeWorker" in text:
            yield path


def test_no_request_gets_in_without_credentials(cluster: Services) -> None:
    code = """
import sys, urllib.error, urllib.request
for address in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(address, timeout=300).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    addresses = [
        "http://mlflow:5000/api/2.0/mlflow/experiments/search?max_results=1",
        "http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts",
        "http://mlflow:5000/",
        "http://ray-head:8265/api/jobs/",
        "http://ray-head:8265/api/version",
        "http://ray-head:8265/nodes?view=summary",
    ]
    told = cluster.containers["client"].run("python", "-c", code, *addresses)
    assert told.stdout.split() == ["401"] * len(addresses)


def test_ray_takes_no_machine_and_no_driver_without_the_token(cluster: Services) -> None:
    for token in ("", "0" * 48):
        variables = {"RAY_AUTH_MODE": "token" if token else "disabled", "RAY_AUTH_TOKEN": token}
        code = "import ray; ray.init('ray-head:6379', log_to_driver=False); print(ray.nodes())"
        tried = cluster.containers["client"].run("python", "-c", code, variables=variables)
        assert tried.returncode != 0
        assert "NodeID" not in tried.stdout


@pytest.mark.parametrize("password", ["", "not-the-password"], ids=["none", "wrong"])
def test_a_wrong_password_is_one_line_that_names_the_variables(cluster: Services, password: str) -> None:
    tried = on_head(cluster, "sweeps", "list", MLFLOW_TRACKING_PASSWORD=password)
    assert tried.returncode == 2
    assert tried.stdout == ""
    (line,) = tried.stderr.splitlines()
    assert line.startswith("error: tracking store http://mlflow:5000: ")
    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in line


def test_a_database_with_a_password_comes_from_the_environment_and_is_never_shown(
    cluster: Services, finished: dict[str, Any]
) -> None:
    password = cluster.variables["POSTGRES_PASSWORD"]
    uri = f"postgresql+psycopg2://mlflow:{password}@postgres:5432/mlflow"
    done = cluster.containers["mlflow"].run("sweeps", "list", variables={"MLFLOW_TRACKING_URI": uri})
    assert done.returncode == 0, done.stderr
    assert "small" in done.stdout
    for wrong in (
        uri.replace("5432", "1"),
        uri.replace("5432/mlflow", "5432/nothing"),
        uri.replace(password, "wrongest"),
    ):
        tried = cluster.containers["mlflow"].run("sweeps", "list", variables={"MLFLOW_TRACKING_URI": wrong})
        assert tried.returncode == 2
        assert "mlflow:***@postgres" in tried.stderr
        assert password not in tried.stdout + tried.stderr
        assert "wrongest" not in tried.stdout + tried.stderr


def test_no_secret_is_in_a_process_list_a_log_or_a_file_that_others_read(
    cluster: Services, finished: dict[str, Any]
) -> None:
    words = {name: value.encode() for name, value in cluster.variables.items()}
    lists, environments = read_all("cmdline"), read_all("environ")
    for name, value in words.items():
        # They are there: in the environment, which only the processes' owner reads.
        assert any(value in text for text in environments), name
        assert not any(value in text for text in lists), name
    files = [path for path in cluster.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name == "log" for path in files)
    assert any(path.match("session_*/logs/*") for path in files)
    for path in files:
        text = path.read_bytes()
        found = [name for name, value in words.items() if value in text]
        assert not found or path.stat().st_mode & 0o777 == 0o600, (path, found)
        assert not found or "log" not in path.parts, (path, found)


def read_all(name: str) -> list[bytes]:
    """That file of every process there is."""
    texts = []
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        try:
            texts.append(path.read_bytes())
        except OSError:  # it ended meanwhile
            continue
    return texts


def test_servers_do_not_start_with_an_empty_secret(cluster: Services) -> None:
    """Compose refuses an empty one before; this is for users who start the commands another way."""
    mlflow, head = cluster.containers["mlflow"], cluster.containers["ray-head"]
    other = {"MLFLOW_BACKEND_STORE_URI": "sqlite:///other.db", "MLFLOW_AUTH_CONFIG_PATH": "other.ini"}
    ini = cluster.document["configs"]["mlflow-auth"]["content"]
    (mlflow.folder / "home" / "other.ini").write_text(re.sub(r"postgresql\S+", "sqlite:///auth.db", ini))
    command = [word.replace("5000", "5001") for word in mlflow.command]
    for name in ("MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"):
        assert refused_to_start(mlflow, command, {**other, name: ""}), name
    assert refused_to_start(head, ["ray", "start", "--head", "--port=7379"], {"RAY_AUTH_TOKEN": ""})


def refused_to_start(container: Any, command: list[str], variables: dict[str, str]) -> bool:
    try:
        return container.run(*command, variables=variables, timeout=300).returncode != 0
    except subprocess.TimeoutExpired:
        return False


def test_services_come_back_after_a_kill(cluster: Services) -> None:
    for host in ("postgres", "mlflow", "ray-worker-1"):
        cluster.containers[host].kill()
        assert not cluster.healthy(host)
        assert cluster.tend() == [host]
        cluster.wait_healthy(host)
    listed = on_head(cluster, "sweeps", "list", "--json")
    assert listed.returncode == 0, listed.stderr
