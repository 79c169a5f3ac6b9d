"""A real cluster of processes on this machine: a Ray head and workers with token authentication.

Everything listens on loopback, on free ports, and ends by its process id.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support.servers.processes import START_SECONDS, Processes, answers, free_ports, wait_until


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
        # Sockets are below it, and their paths must be short. Nodes that shared one would unpack a job's
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
        wait_until(lambda: answers(f"{self.url}/api/version"), "the head", self.processes, "head")

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
        wait_until(lambda: self.nodes() == number, f"{number} nodes", self.processes, "head")

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
