"""Seconds until a command says its first word, beside what Python and PyTorch take in the same minutes.

    python tests/benchmarks/service/startup.py [--times 5] [--folder FOLDER]

Each command is run in turn, so that other work on the machine falls on all of them. `run` ends at its first
word: the check that names the sweep. Medians.
"""

import argparse
import os
import pty
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

SWEEPS = [sys.executable, "-m", "sweeps"]


@dataclass(frozen=True)
class Taken:
    """Wall-clock and CPU seconds."""

    wall: float
    cpu: float


def to_its_end(words: list[str], folder: Path) -> Taken:
    """A command until it ends."""
    began = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def to_its_first_word(words: list[str], folder: Path, terminal: bool) -> Taken:
    """A command until the sweep's name appears on standard error."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    began, said = time.monotonic(), b""
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    while words[-1].encode() not in said:
        said += os.read(reader, 4096)
    wall, used = time.monotonic() - began, psutil.Process(process.pid).cpu_times()
    process.send_signal(signal.SIGKILL)  # before it has started Ray
    process.wait()
    os.close(reader)
    return Taken(wall, used.user + used.system)


def commands(folder: Path) -> dict[str, Callable[[], Taken]]:
    """What is measured; every `run` is a sweep of its own."""

    def run(terminal: bool) -> Taken:
        words = [*SWEEPS, "run", "quickstart", "--name", f"first-{time.monotonic_ns()}"]
        return to_its_first_word(words, folder, terminal)

    python = [sys.executable, "-c"]
    return {
        "python -c pass": lambda: to_its_end([*python, "pass"], folder),
        "import torch": lambda: to_its_end([*python, "import torch"], folder),
        "import sweeps.runner": lambda: to_its_end([*python, "import sweeps.runner"], folder),
        "sweeps --help": lambda: to_its_end([*SWEEPS, "--help"], folder),
        "sweeps list": lambda: to_its_end([*SWEEPS, "list"], folder),
        "sweeps status": lambda: to_its_end([*SWEEPS, "status", "small"], folder),
        "sweeps run, on a terminal": lambda: run(terminal=True),
        "sweeps run, in a pipe": lambda: run(terminal=False),
    }


def prepare(folder: Path) -> None:
    """A sweep that ran here, for `list` and `status`."""
    words = [
        "run",
        "quickstart",
        "--name",
        "small",
        "--set",
        "base.num_epochs=10",
        "--set",
        "search.seeds=[0]",
    ]
    subprocess.run([*SWEEPS, *words], cwd=folder, check=True, capture_output=True)


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where a sweep `small` has run; default: a new one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startup-") as scratch:
        folder = options.folder or Path(scratch)
        if options.folder is None:
            prepare(folder)
        taken: dict[str, list[Taken]] = {}
        for _ in range(options.times):
            for name, command in commands(folder).items():
                taken.setdefault(name, []).append(command())
    table = Table("", "wall s", "CPU s", "/ import torch")
    torch = statistics.median(one.cpu for one in taken["import torch"])
    for name, found in taken.items():
        wall, cpu = (
            statistics.median(values) for values in zip(*((t.wall, t.cpu) for t in found), strict=True)
        )
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / torch:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
