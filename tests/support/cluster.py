"""A real cluster of processes on this machine: a Ray head and workers with token authentication, and MLflow.

Everything listens on loopback, on free ports, and ends by its process id.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil

START_SECONDS = 300.0


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class Processes:
    """Processes of a test, with their children, ended when it ends.

    Args:
        folder: where each writes its output, ``<name>.log``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def tree(self) -> list[psutil.Process]:
        """Every process that lives, children of children too."""
        found = []
        for process in self.started.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(process.pid)
                found += [root, *root.children(recursive=True)]
        return found

    def kill(self, name: str) -> None:
        """SIGKILL a process and its children."""
        process = self.started.pop(name)
        _end(_family(process.pid), gently=False)
        process.wait()

    def stop(self) -> None:
        """End everything."""
        family = self.tree()
        _end(family, gently=True)
        for process in self.started.values():
            process.wait()
        self.started.clear()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return []
    return [root, *root.children(recursive=True)]


def _end(processes: list[psutil.Process], *, gently: bool) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate() if gently else process.kill()
    _, alive = psutil.wait_procs(processes, timeout=5)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)


class RayCluster:
    """A head and worker raylets with token authentication.

    Attributes:
        url: of the dashboard and the Job API.
        address: for ``ray.init`` and ``ray start --address``.
        token: what the Job API asks for; ``token_file`` holds it, mode 0600.
        environment: what the nodes run with.

    Args:
        folder: for logs and the token.
        cpus: of each node, the head's first.
        environment: what the nodes see beside the test's own environment.
    """

    def __init__(self, folder: Path, cpus: tuple[float, ...] = (1, 1), **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.cpus = cpus
        self.processes = Processes(folder)
        # Sockets lie below it, and their paths must be short. Nodes that shared one would unpack a job's
        # working folder over each other's, which nodes on machines of their own do not.
        self.temporary = Path(tempfile.mkdtemp(prefix="ray-"))
        self.token = secrets.token_hex(32)
        self.token_file = folder / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.token)
        self._port, self._dashboard = free_ports(2)
        self.address = f"127.0.0.1:{self._port}"
        self.url = f"http://127.0.0.1:{self._dashboard}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_", "SWEEPS_"))},
            # The entry point of a job is `python`: the one that the nodes find.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "RAY_USAGE_STATS_ENABLED": "0",
            **environment,
        }
        # The code that runs in a job must come with the job.
        self.environment.pop("PYTHONPATH", None)

    def start(self) -> "RayCluster":
        self.start_head()
        for number in range(1, len(self.cpus)):
            self.start_worker(number)
        self.wait_for_nodes(len(self.cpus))
        return self

    def start_head(self) -> None:
        self._start_node(
            "head",
            0,
            "--head",
            "--port",
            str(self._port),
            "--dashboard-host",
            "127.0.0.1",
            "--dashboard-port",
            str(self._dashboard),
            "--include-dashboard",
            "true",
        )
        _wait_until(lambda: _answers(f"{self.url}/api/version"), "the head", self.processes, "head")

    def start_worker(self, number: int) -> None:
        self._start_node(f"worker-{number}", number, "--address", self.address)

    def _start_node(self, name: str, number: int, *words: str) -> None:
        agent, grpc, metrics, manager, objects, environments = free_ports(6)
        self.processes.start(
            name,
            [
                str(Path(sys.executable).with_name("ray")),
                "start",
                "--block",
                "--disable-usage-stats",
                "--node-ip-address",
                "127.0.0.1",
                "--num-cpus",
                f"{self.cpus[number]:g}",
                "--num-gpus",
                "0",
                "--object-store-memory",
                "100000000",
                "--dashboard-agent-listen-port",
                str(agent),
                "--dashboard-agent-grpc-port",
                str(grpc),
                "--metrics-export-port",
                str(metrics),
                "--node-manager-port",
                str(manager),
                "--object-manager-port",
                str(objects),
                "--runtime-env-agent-port",
                str(environments),
                "--temp-dir",
                str(self.temporary / name),
                *words,
            ],
            self.environment,
        )

    def nodes(self) -> int:
        """How many raylets are alive, asked of the head."""
        shown = subprocess.run(
            [sys.executable, "-c", _COUNT_NODES, self.url],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
            cwd=self.folder,
        )
        return int(shown.stdout or 0) if shown.returncode == 0 else 0

    def wait_for_nodes(self, number: int) -> None:
        _wait_until(lambda: self.nodes() == number, f"{number} nodes", self.processes, "head")

    def stop(self) -> None:
        self.processes.stop()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def __enter__(self) -> "RayCluster":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()


_COUNT_NODES = """
import logging, sys
logging.disable()
from ray.util.state import list_nodes
print(sum(node.state == "ALIVE" for node in list_nodes(address=sys.argv[1])))
"""


class MlflowServer:
    """An MLflow server on SQLite; with a password, it asks for it (``basic-auth``).

    Attributes:
        url: of the server.
        credentials: what its clients have in their environment.
    """

    def __init__(self, folder: Path, password: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.processes = Processes(folder)
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = password
        self.credentials = (
            {}
            if password is None
            else {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}
        )

    def start(self) -> "MlflowServer":
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))},
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        words: list[str] = []
        if self.password is not None:
            settings = self.folder / "auth.ini"
            settings.touch(mode=0o600)
            settings.write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{self.folder / 'auth.db'}\n"
                f"admin_username = admin\nadmin_password = {self.password}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
                "auth_cache_ttl_seconds = 60\n"
            )
            environment |= {
                "MLFLOW_AUTH_CONFIG_PATH": str(settings),
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            }
            words = ["--app-name", "basic-auth"]
        self.processes.start(
            "mlflow",
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--workers",
                "1",
                "--backend-store-uri",
                f"sqlite:///{self.folder / 'mlflow.db'}",
                "--artifacts-destination",
                (self.folder / "artifacts").as_uri(),
                *words,
            ],
            environment,
        )
        _wait_until(lambda: _answers(f"{self.url}/health"), "MLflow", self.processes, "mlflow")
        return self

    def stop(self) -> None:
        self.processes.stop()

    def __enter__(self) -> "MlflowServer":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except HTTPError as error:
        return error.code in (401, 403)
    except OSError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], what: str, processes: Processes, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        ended = processes.started[name].poll() is not None
        assert not ended, f"{what} ended:\n{processes.log(name)}"
        assert time.monotonic() < deadline, f"{what} did not come:\n{processes.log(name)}"
        time.sleep(0.5)
