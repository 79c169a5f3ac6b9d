"""The commands as a user types them, as processes that can be watched and killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

PATIENCE_SECONDS = 300.0
RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
STACK = "a stack of Ray's"


class StuckError(Exception):
    """A command that did not end in time; it was killed."""


class Command:
    """A running `sweeps ...`, in a process group of its own, as a terminal's foreground job.

    What it prints goes to files: a process that it leaves behind cannot hold up whoever reads.

    Args:
        words: of the command line, after `sweeps`.
        folder: where it runs.
        log: files `<log>.out` and `<log>.err` hold what it prints.
    """

    def __init__(self, words: list[str], folder: Path, log: Path) -> None:
        self.words = words
        self.out, self.err = log.with_suffix(".out"), log.with_suffix(".err")
        names = ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE", "RAY_ADDRESS")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment["RAY_raylet_start_wait_time_s"] = "300"  # a busy machine is no fault of the sweep's
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweeps", *words],
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.started = time.time()
        self.ended: float | None = None
        self._family: set[psutil.Process] = set()

    def __str__(self) -> str:
        return f"sweeps {' '.join(self.words)}"

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def family(self) -> set[psutil.Process]:
        """The command and every process below it that was ever seen here."""
        try:
            driver = psutil.Process(self.process.pid)
            self._family |= {driver, *driver.children(recursive=True)}
        except psutil.NoSuchProcess:
            pass
        return self._family

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end.

        Returns:
            The exit code, negative for a signal.

        Raises:
            StuckError: it did not end; it and everything below it was killed.
        """
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                self.destroy()
                raise StuckError(f"`{self}` did not end in {seconds:.0f} s")
            time.sleep(0.1)
        self.ended = self.ended or time.time()
        return self.process.returncode

    def kill(self) -> None:
        """Kill -9 of the command's own process and of no other."""
        self.family()
        self.process.kill()
        self.process.wait()
        self.ended = time.time()

    def interrupt(self) -> None:
        """Ctrl-C: a terminal sends SIGINT to the whole group."""
        self.family()
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the command alone, as a supervisor sends it."""
        self.family()
        self.process.terminate()

    def destroy(self) -> None:
        """End whatever is left of it."""
        kill_all(self.family())
        self.process.wait()

    def left_behind(self, seconds: float = 20.0) -> list[str]:
        """Processes below the command that outlive it for so long; they are killed then.

        Ray's two agents are killed without a word: after a kill -9 of everything else they end by themselves,
        when they gave up telling the dead head of it (60 s, `gcs_rpc_server_reconnect_timeout_s`).
        """
        agents = {process for process in self._family if _name(process).endswith(RAY_AGENTS)}
        _, alive = psutil.wait_procs(list(self._family - agents), timeout=seconds)
        alive = [process for process in alive if process.is_running() and not _is_zombie(process)]
        names = [_name(process) for process in alive]
        kill_all(agents)
        kill_all(alive)
        return names

    @property
    def complaints(self) -> list[str]:
        """What is not fit for a user to read: tracebacks, and more than one line of error."""
        lines = self.err.read_text(errors="replace").splitlines()
        found = [f"traceback: {_cause(lines)}"] if any("Traceback" in line for line in lines) else []
        if any("StackTrace Information" in line for line in lines):
            found.append(STACK)
        if (errors := sum(line.startswith("error:") for line in lines)) > 1:
            found.append(f"{errors} lines of error")
        return [f"`{self}`: {what}" for what in found]


def kill_all(processes: "set[psutil.Process] | list[psutil.Process]") -> None:
    """Kill -9 of each, as far as they still live; a process id that was given away again is spared."""
    for process in processes:
        try:
            if process.is_running():
                process.kill()
        except psutil.NoSuchProcess:
            continue


def _cause(lines: list[str]) -> str:
    """The exception's own line: the first one after the traceback that is not indented."""
    begin = next(number for number, line in enumerate(lines) if "Traceback" in line)
    return next((line for line in lines[begin + 1 :] if line and not line.startswith(" ")), lines[-1])


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:60].strip()}"
    except psutil.NoSuchProcess:
        return str(process.pid)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
