"""The servers that `scale.py` measures against: MLflow, PostgreSQL, a Ray cluster of two raylets."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 300.0


def free_port() -> int:
    """A port that nobody listens on, outside the range from which the system serves everybody else."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


@contextmanager
def process(command: list[str], log: Path, ready: Callable[[], bool], **environment: str) -> Iterator[None]:
    """A server in a process group of its own, from the moment it answers until the context ends."""
    with log.open("ab") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command[:4])} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(server.pid, number)
                server.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


def answers(port: int) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def mlflow_server(folder: Path, database: str) -> Iterator[str]:
    """An MLflow server with one worker, as a cluster would run it; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def healthy() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{address}/health", timeout=2).status == 200)
        except OSError:
            return False

    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        database,
        "--workers",
        "1",
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with process(
        command,
        folder / "mlflow.log",
        healthy,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        MLFLOW_DISABLE_TELEMETRY="true",
    ):
        yield address


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL cluster of this machine's newest version; gives the address of its database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise SystemExit("--postgres: PostgreSQL is not installed here")
    programs, data, port = found[-1].parent, folder / "postgres", free_port()
    data.mkdir()
    become: list[str] = []
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(data, "postgres")
        folder.chmod(0o755)
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    make = [*become, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    command = [
        *become,
        str(programs / "postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        str(data),
        "-h",
        "127.0.0.1",
    ]
    with process(command, folder / "postgres.log", lambda: answers(port)):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def two_raylets(folder: Path, cpus: int) -> Iterator[str]:
    """A head and a second node on this machine, each with `cpus`; gives the cluster's address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    program = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--node-ip-address=127.0.0.1"]
    head = [f"--port={port}", "--head", f"--temp-dir={folder / 'ray'}", "--include-dashboard=false"]
    first, second = folder / "head.log", folder / "node.log"
    with (
        process([*program, *head, *_own(cpus)], first, lambda: _is_up(first)),
        process([*program, f"--address={address}", *_own(cpus)], second, lambda: _is_up(second)),
    ):
        yield address


def _is_up(log: Path) -> bool:
    """Whether a node says so: it listens before it can be joined."""
    return "runtime started" in log.read_text().lower()


def _own(cpus: int) -> list[str]:
    """Ports of its own for a node: two on one machine would take the same."""
    names = (
        "node-manager-port",
        "object-manager-port",
        "metrics-export-port",
        "runtime-env-agent-port",
        "dashboard-agent-grpc-port",
        "dashboard-agent-listen-port",
    )
    ports = [f"--{name}={free_port()}" for name in names]
    return [
        *ports,
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--disable-usage-stats",
        f"--num-cpus={cpus}",
        f"--object-store-memory={100 * 2**20}",
    ]
