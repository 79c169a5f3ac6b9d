"""Serves the MLflow UI on loopback, behind a secret, and prints the link that opens on the sweep."""

import contextlib
import json
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
import webbrowser
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO

from rich.console import Console

from iwae.errors import SweepError
from sweeps.process.signals import refuse_to_go_on
from tracking.addresses.uris import is_server, shown
from tracking.errors import RecordError
from tracking.store import RunStore

START_SECONDS = 90.0
_APP = "sweeps-ui"
_NO_BROWSER = "no browser was found: open the link yourself"


def serve(
    store: RunStore, name: str | None, port: int, err: Console, out: Console, *, browse: bool = False
) -> None:
    """Serve the UI until Ctrl-C, and print the link that opens on a sweep.

    Args:
        store: the tracking store, open.
        name: the sweep to open on; None opens on the newest.
        port: where the server listens; 0 takes a free one.
        err: for what goes on.
        out: for the link, alone on its line.
        browse: also open the link in this machine's browser.

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
        link = _print_links(store, name, store.tracking_uri, None, err, out)
        if browse and not webbrowser.open(link):
            err.print(_NO_BROWSER, highlight=False)
        return
    err.print(f"starting the MLflow UI on {store.tracking_uri} ...", soft_wrap=True, highlight=False)
    with mlflow_server(store.connection_uri, port) as (process, address, token):
        link = _print_links(store, name, address, token, err, out)
        err.print(
            "anyone with the token can see and change everything there; MLflow's clients read it from"
            " MLFLOW_TRACKING_TOKEN; Ctrl-C ends the server",
            soft_wrap=True,
            highlight=False,
        )
        with _opened(link, err, browse=browse), contextlib.suppress(KeyboardInterrupt):
            while process.poll() is None:
                time.sleep(0.5)
                refuse_to_go_on()
            raise SweepError(f"the MLflow server at {address} has ended: `sweeps ui {name}` starts another")


def _print_links(
    store: RunStore, name: str, address: str, token: str | None, err: Console, out: Console
) -> str:
    """Print the links of a sweep, and return the one that opens on its answer."""
    parent = store.find_sweep(name)
    assert parent is not None
    run = store.run_url(parent, address)
    table, charts = (store.view_url(name, address, charts=shown) for shown in (False, True))
    links = [link if token is None else _with(token, link) for link in (table, charts, run) if link]
    for what, link in zip(("charts", "answer and report"), links[1:], strict=False):
        err.print(f"{name}, {what}: {link}", soft_wrap=True, highlight=False)
    out.print(links[0], soft_wrap=True, highlight=False)
    out.file.flush()
    return links[0]


@contextlib.contextmanager
def _opened(link: str, err: Console, *, browse: bool) -> Iterator[None]:
    """Open a link in a browser, where it is asked for and there is one."""
    if not browse:
        yield
        return
    # A browser's command line can be read by every user of the machine: it gets a file that only ours can.
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        page = Path(folder, "open.html")
        page.write_text(f"<!doctype html><script>location.replace({json.dumps(link)})</script>")
        if not webbrowser.open(page.as_uri()):
            err.print(_NO_BROWSER, highlight=False)
        yield


def _with(token: str, link: str) -> str:
    return link.replace("/#/", f"/?token={token}#/", 1)


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
