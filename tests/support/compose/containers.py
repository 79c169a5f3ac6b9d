"""A container without a container engine: processes in namespaces of their own.

Needs root and the programs `ip`, `unshare`, `nsenter` and `setpriv`. A container has an address and a
host name of its own, sees its volumes under the paths given, and dies whole with its first process.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PATIENCE_SECONDS = 300.0
ROOT = Path(__file__).parents[3]
_TOOLS = ("ip", "unshare", "nsenter", "setpriv", "mount")
# As an init does it: hand on SIGTERM, and reap. Its end is the end of every process of the container.
_INIT = """
"$@" & child=$!
trap 'kill -TERM $child 2>/dev/null' TERM
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
exit $code
"""


def missing() -> str | None:
    """Why containers cannot be had here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "namespaces are not allowed here"


def ip(*words: object) -> None:
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True)


class Switch:
    """Networks for containers, in a namespace of their own: the machine's network is left alone."""

    def __init__(self, prefix: str, networks: Sequence[str]) -> None:
        self.namespace = f"{prefix}-switch"
        self.networks = list(networks)
        self._plugged = 0
        ip("netns", "add", self.namespace)
        for number in range(len(self.networks)):
            ip("-n", self.namespace, "link", "add", f"bridge{number}", "type", "bridge")
            ip("-n", self.namespace, "addr", "add", f"10.89.{number}.1/24", "dev", f"bridge{number}")
            ip("-n", self.namespace, "link", "set", f"bridge{number}", "up")

    def plug(self, namespace: str, networks: Sequence[str]) -> dict[str, str]:
        """A new namespace on these networks; returns its addresses by network."""
        self._plugged += 1
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        addresses = {}
        for network in networks:
            number = self.networks.index(network)
            addresses[network] = f"10.89.{number}.{self._plugged + 1}"
            port, device = f"port{number}-{self._plugged}", f"eth{number}"
            ip(
                "link",
                "add",
                device,
                "netns",
                namespace,
                "type",
                "veth",
                "peer",
                "name",
                port,
                "netns",
                self.namespace,
            )
            ip("-n", self.namespace, "link", "set", port, "master", f"bridge{number}", "up")
            ip("-n", namespace, "addr", "add", f"{addresses[network]}/24", "dev", device)
            ip("-n", namespace, "link", "set", device, "up")
        # A way out that leads nowhere: programs ask it which of their addresses is theirs.
        ip("-n", namespace, "route", "add", "default", "via", f"10.89.{self.networks.index(networks[-1])}.1")
        return addresses

    def remove(self) -> None:
        ip("netns", "delete", self.namespace)


class Container:
    """One service's container: may be started, killed and started again, its files and address stay.

    Args:
        name: its host name, and its log's.
        folder: for its own files.
        namespace: a network namespace.
        mounts: file or folder on this machine by path in the container.
        shm: size of its shared memory.
        user: who runs the command; None is root.
        paths: folders of more programs.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        namespace: str,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        mounts: Mapping[str, Path],
        shm: str = "64m",
        user: str | None = None,
        paths: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.folder = folder
        self.namespace = namespace
        self.command = list(command)
        home = folder / "home"
        search = [str(Path(sys.executable).parent), *paths, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        self.environment = {
            "PATH": ":".join(search),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self.mounts = dict(mounts)
        self.shm = shm
        self.user = user
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)
        if user is not None:
            shutil.chown(home, user)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self._process is not None and not self.running

    @property
    def pid(self) -> int:
        """The container's first process, as this machine numbers it."""
        assert self._process is not None
        parent = self._process.pid
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if children:
                return int(children[0])
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} has no process: {self.tail()}")

    def start(self) -> None:
        assert not self.running
        script = "\n".join(["set -e", *self._mounting(), "set +e", _INIT])
        words = [
            "ip",
            "netns",
            "exec",
            self.namespace,
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--uts",
            "--ipc",
            "--mount",
            "bash",
            "-c",
            script,
            "init",
            *self._as_user(),
            *self.command,
        ]
        with self._open_log() as log:
            self._process = subprocess.Popen(
                words,
                env=self.environment,
                cwd=self.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill -9 of every process in it, at once."""
        if self.running:
            with contextlib.suppress(ProcessLookupError, RuntimeError):
                os.kill(self.pid, signal.SIGKILL)
            assert self._process is not None
            self._process.wait(timeout=PATIENCE_SECONDS)

    def stop(self, grace: float = 60.0) -> None:
        """SIGTERM, and what is left after the grace is killed."""
        if self.running:
            assert self._process is not None
            with contextlib.suppress(ProcessLookupError, RuntimeError):
                os.kill(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=grace)
            self.kill()

    def popen(
        self, words: Sequence[object], variables: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """A command in the container, with its environment and what is added."""
        assert self.running, f"{self.name} ended: {self.tail()}"
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid"]
        environment = {name: text for name, text in {**self.environment, **(variables or {})}.items() if text}
        # A session of its own: this process's signals are not the command's.
        return subprocess.Popen(
            [*inside, "--wd=" + str(self.folder / "home"), *self._as_user(), *map(str, words)],
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, *words: object, variables: Mapping[str, str] | None = None, timeout: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        """A command in the container, to its end. An empty variable is one that is not set."""
        process = self.popen(words, variables)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return subprocess.CompletedProcess(list(words), process.returncode, out, err)

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _open_log(self) -> "IO[bytes]":
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")

    def _as_user(self) -> list[str]:
        if self.user is None:
            return []
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]

    def _mounting(self) -> list[str]:
        lines = [
            f"hostname {self.name}",
            f"mount -t tmpfs -o size={self.shm.lower().removesuffix('b')} shm /dev/shm",
        ]
        # A mount point that this machine has not is made on a file system in memory over what is there.
        covered = {_existing(Path(target)) for target in self.mounts if not Path(target).exists()}
        lines += [f"mount -t tmpfs none {folder}" for folder in sorted(covered)]
        for target, source in self.mounts.items():
            assert not any(source.is_relative_to(folder) for folder in covered), f"{source} would be hidden"
            made = (
                f"mkdir -p {target}"
                if source.is_dir()
                else f"mkdir -p {Path(target).parent}; touch -a {target}"
            )
            lines.append(f"{made}; mount --bind {shlex.quote(str(source))} {target}")
        return lines


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    assert len(folder.parts) > 1, "a container's file system is this machine's: nothing is mounted on /"
    return folder
