"""A Ray cluster on this machine, each of its nodes a tree of processes that can be killed by pid.

A head without CPUs and two raylets with one CPU each. It has ports and a folder of its own, so that no other
Ray on the machine is met.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from .commands import kill_all

START_SECONDS = 300.0
_MEMORY = "100000000"
# A token file of this user's would switch authentication on, silently; this cluster is on 127.0.0.1 only.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_raylet_start_wait_time_s": "300",
}


def free_ports(number: int) -> list[int]:
    """Ports of this machine on which nobody listens, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Node:
    """One `ray start --block`: its raylet, and on the head the control service and the dashboard."""

    def __init__(self, words: list[str], log: Path) -> None:
        agent, grpc, runtime, metrics = free_ports(4)
        ports = [
            f"--dashboard-agent-listen-port={agent}",
            f"--dashboard-agent-grpc-port={grpc}",
            f"--runtime-env-agent-port={runtime}",
            f"--metrics-export-port={metrics}",
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--node-ip-address=127.0.0.1",
            f"--object-store-memory={_MEMORY}",
            "--disable-usage-stats",
            "--block",
        ]
        command = [str(Path(sys.executable).with_name("ray")), "start", *words, *ports]
        with log.open("a") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, **ENVIRONMENT}, start_new_session=True
            )

    def processes(self) -> list[psutil.Process]:
        """The node's processes."""
        try:
            top = psutil.Process(self.process.pid)
            return [*top.children(recursive=True), top]
        except psutil.NoSuchProcess:
            return []

    def raylet(self) -> psutil.Process:
        """The node's raylet."""
        return next(process for process in self.processes() if process.name() == "raylet")

    def kill(self) -> None:
        """Kill -9 of everything at once, as when the machine is lost."""
        kill_all(self.processes())
        self.process.wait()


class Cluster:
    """A head and two raylets; a context that ends them."""

    def __init__(self) -> None:
        # Short: a socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self.port, self.dashboard, self.client = free_ports(3)
        self.address = f"127.0.0.1:{self.port}"
        self.head: Node
        self.nodes: list[Node] = []

    def start(self) -> None:
        """Start it, or start it again on the same ports."""
        self.head = Node(
            [
                "--head",
                f"--port={self.port}",
                f"--dashboard-port={self.dashboard}",
                "--num-cpus=0",
                f"--ray-client-server-port={self.client}",
                f"--temp-dir={self.folder}/t",
            ],
            self.folder / "head.log",
        )
        self._wait_for_port()
        self.nodes = []
        for number in (2, 3):
            self.join()
            self.wait_for_nodes(number)

    def join(self) -> None:
        """A further raylet with one CPU."""
        words = [f"--address={self.address}", "--num-cpus=1"]
        self.nodes.append(Node(words, self.folder / f"node-{len(self.nodes)}.log"))

    def kill_raylet(self, index: int) -> None:
        """Kill -9 of one raylet, and of it alone: what hangs on it has to find out."""
        self.nodes[index].raylet().kill()

    def replace(self, index: int) -> None:
        """Clear away a node whose raylet is gone; a new one joins."""
        self.nodes.pop(index).kill()
        self.join()

    def kill_head(self) -> None:
        """Kill -9 of the control service, its raylet and the dashboard."""
        self.head.kill()

    def restart(self) -> None:
        """The whole cluster again on the same ports, after the head was lost."""
        for node in self.nodes:
            node.kill()
        self.start()

    def stop(self) -> None:
        """End everything."""
        for node in [*self.nodes, self.head]:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_for_nodes(self, number: int) -> None:
        """Wait until so many nodes are alive."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._alive() == number:
                return
            time.sleep(0.5)
        raise TimeoutError(f"the cluster has not {number} nodes after {START_SECONDS:.0f} s: {self.folder}")

    def _alive(self) -> int:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.dashboard}/api/v0/nodes", timeout=10
            ) as reply:
                nodes = json.load(reply)["data"]["result"]["result"]
        except (OSError, TypeError, KeyError, ValueError):
            return 0  # the dashboard answers last of all
        return sum(node["state"] == "ALIVE" for node in nodes)

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.2)
        raise TimeoutError(f"no head answers at {self.address}: {self.folder}")
