"""Serves the MLflow UI on loopback, behind a secret, and prints the link that opens on the sweep."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import IO

from rich.console import Console

from iwae.errors import SweepError
from sweeps.process.signals import refuse_to_go_on
from tracking.addresses.uris import is_server, shown
from tracking.errors import RecordError
from tracking.store import RunStore

START_SECONDS = 90.0
_APP = "sweeps-ui"


def serve(store: RunStore, name: str | None, port: int, err: Console, out: Console) -> None:
    """Serve the UI until Ctrl-C, and print the link that opens on a sweep.

    Args:
        store: the tracking store, open.
        name: the sweep to open on; None opens on the newest.
        port: where the server listens; 0 takes a free one.
        err: for what goes on.
        out: for the link, alone on its line.

    Raises:
        RecordError: there is no such sweep.
    """
    names = [sweep["name"] for sweep in store.list_sweeps()]
    if name is None and names:
        name = names[-1]
    if name is None or name not in names:
        known = ", ".join(names) or "none yet: `sweeps run quickstart`"
        raise RecordError(f"no sweep {name or ''} in {store.tracking_uri} (there: {known})")
    if is_server(store.tracking_uri):
        _print_links(store, name, store.tracking_uri, None, err, out)
        return
    err.print(f"starting the MLflow UI on {store.tracking_uri} ...", soft_wrap=True, highlight=False)
    with mlflow_server(store.connection_uri, port) as (process, address, token):
        _print_links(store, name, address, token, err, out)
        err.print(
            "anyone with the token can see and change everything there; MLflow's clients read it from"
            " MLFLOW_TRACKING_TOKEN; Ctrl-C ends the server",
            soft_wrap=True,
            highlight=False,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while process.poll() is None:
                time.sleep(0.5)
                refuse_to_go_on()
            raise SweepError(f"the MLflow server at {address} has ended: `sweeps ui {name}` starts another")


def _print_links(
    store: RunStore, name: str, address: str, token: str | None, err: Console, out: Console
) -> None:
    parent = store.find_sweep(name)
    assert parent is not None
    page, compared = (
        link if token is None else link.replace("/#/", f"/?token={token}#/", 1)
        for link in (store.run_url(parent, address), store.compare_url(name, address))
    )
    err.print(f"{name} (its trials side by side: {compared})", soft_wrap=True, highlight=False)
    out.print(page, soft_wrap=True, highlight=False)
    out.file.flush()


@contextlib.contextmanager
def mlflow_server(tracking_uri: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """An MLflow server on 127.0.0.1 over a database store, ended with the context.

    It answers only to a token that is made for it: others who use this machine reach 127.0.0.1 as well.

    Args:
        tracking_uri: a database URI, for example ``sqlite:////home/me/mlflow.db``.
        port: where it listens; 0 takes a free one.

    Yields:
        The server's process, its address and its token.

    Raises:
        RecordError: the port is taken.
        SweepError: the server did not start.
    """
    if not entry_points(group="mlflow.app", name=_APP):
        raise SweepError("this installation is older than its sources: run `pip install -e .` again")
    port, token = _free_port(port), secrets.token_urlsafe(32)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--app-name",
        _APP,
    ]
    # Other users of the machine can read a command line, but not an environment.
    environment = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": tracking_uri,
        "SWEEPS_UI_TOKEN": token,
        "SWEEPS_UI_COOKIE": f"sweeps-ui-{port}",
    }
    # A session of its own: Ctrl-C reaches us, and we end the server with all its workers.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_until_healthy(process, address, log, tracking_uri)
            yield process, address, token
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RecordError(
                f"port: {port} is not allowed: must be free ({error.strerror}; try --port 0)"
            ) from None
        return int(probe.getsockname()[1])


def _wait_until_healthy(
    process: subprocess.Popen[bytes], address: str, log: IO[bytes], tracking_uri: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace").replace(tracking_uri, shown(tracking_uri))
            raise SweepError(f"the MLflow server ended at once: {' '.join(said.strip().splitlines()[-1:])}")
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{address}/health", timeout=2),
        ):
            return
        time.sleep(0.2)
    raise SweepError(f"the MLflow server did not answer at {address} in {START_SECONDS:.0f} s")
