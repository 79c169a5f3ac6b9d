"""Commands that tests start: what a test leaves behind, however it ends, is ended with it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.servers.processes import end_family

_started: list["subprocess.Popen[str]"] = []


def start_sweeps(
    words: tuple[object, ...], folder: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[str]":
    """Start ``python -m sweeps WORDS`` in a folder, with pipes for what it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps", *map(str, words)],
        cwd=folder,
        text=True,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _started.append(process)
    return process


@contextlib.contextmanager
def ending_what_is_started() -> Iterator[None]:
    """End the commands that are started inside, with their children, and close their pipes."""
    before = len(_started)
    try:
        yield
    finally:
        while len(_started) > before:
            _end(_started.pop())


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        end_family(process.pid)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
