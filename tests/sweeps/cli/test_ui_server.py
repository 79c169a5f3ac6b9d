import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from support.workplace import Workplace
from sweeps.cli.ui import mlflow_server

pytestmark = pytest.mark.service

SEARCH = "api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An address and its token; the database's address may hold a password."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(f"sqlite:///{folder}/a-secret-name.db", 0) as (_, address, token):
        yield address, token


def test_neither_the_database_nor_the_token_is_on_a_command_line(server: tuple[str, str]) -> None:
    lines = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert any("mlflow" in line for line in lines)
    assert not any("a-secret-name" in line or server[1] in line for line in lines)


def test_the_token_opens_the_server(server: tuple[str, str]) -> None:
    request = urllib.request.Request(
        f"{server[0]}/{SEARCH}", headers={"Authorization": f"Bearer {server[1]}"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert b"experiments" in answer.read()


PATHS = (
    "",
    SEARCH,
    "get-artifact?path=x&run_uuid=x",
    "graphql",
    "api/2.0/mlflow-artifacts/artifacts",
    "version",
    "docs",
    "ajax-api/2.0/mlflow/users/current",
    "static-files/index.html",
    "openapi.json",
    "v1/traces",
)


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_no_page_no_call_and_no_file_is_given(server: tuple[str, str], path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server[0]}/{path}", timeout=300)
    with refused.value as answer:
        assert answer.code == 401


def test_mlflows_own_client_takes_the_token_from_its_environment(server: tuple[str, str]) -> None:
    code = "import mlflow; mlflow.create_experiment('by-token'); print(mlflow.search_experiments()[0].name)"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server[0], "MLFLOW_TRACKING_TOKEN": server[1]}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "by-token", done.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("curl") is None, reason="needs root, to be another user"
)
def test_another_user_of_the_machine_can_neither_read_nor_write(server: tuple[str, str]) -> None:
    def as_nobody(*words: str) -> str:
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", *words]
        return subprocess.run(command, user="nobody", capture_output=True, text=True, timeout=300).stdout

    assert as_nobody(f"{server[0]}/{SEARCH}") == "401"
    body = '{"name": "theirs", "artifact_location": "file:///root"}'
    create = f"{server[0]}/api/2.0/mlflow/experiments/create"
    assert as_nobody("-H", "Content-Type: application/json", "-d", body, create) == "401"
    environments = [f"/proc/{process.pid}/environ" for process in psutil.Process().children(recursive=True)]
    for path in environments:
        read = subprocess.run(["cat", path], user="nobody", capture_output=True, check=False)
        assert server[1].encode() not in read.stdout


def test_a_server_that_dies_ends_the_command_with_a_line(finished: tuple[Workplace, dict[str, Any]]) -> None:
    process = finished[0].start("ui", "small", "--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    _, said = process.communicate(timeout=900)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("error: the MLflow server at http://127.0.0.1:")
    assert said.splitlines()[-1].endswith("`sweeps ui small` starts another")
