"""Processes of a test: started with a log, waited for, ended by their process ids."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil

START_SECONDS = 300.0


def free_ports(number: int) -> list[int]:
    """Ports on which nothing listens now."""
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


def end_family(pid: int) -> None:
    """SIGTERM to a process and its children, and SIGKILL to what is left five seconds later."""
    _end(_family(pid), gently=True)


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
    psutil.wait_procs(alive, timeout=START_SECONDS)


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except HTTPError as error:
        return error.code in (401, 403)
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, processes: Processes, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        ended = processes.started[name].poll() is not None
        assert not ended, f"{what} ended:\n{processes.log(name)}"
        assert time.monotonic() < deadline, f"{what} did not come:\n{processes.log(name)}"
        time.sleep(0.5)
