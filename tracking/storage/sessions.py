"""Which driver works on a sweep now: one at a time, with a sign of life for the other processes."""

import contextlib
import functools
import getpass
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tracking.errors import RecordError, StorageError
from tracking.records.records import TrialState
from tracking.records.shapes import SessionEntry
from tracking.storage.sweep import SweepStorage

HEARTBEAT_SECONDS = 5.0
# A driver on another machine is only known by its heartbeat; three lost ones may be a slow file system.
SILENT_SECONDS = 60.0
# Clocks of two machines differ: a driver that seems gone is watched for a sign of life before it is replaced.
WATCH_SECONDS = 3 * HEARTBEAT_SECONDS
_BOOT, _NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def live_session(storage: SweepStorage) -> SessionEntry | None:
    """The driver that works on the sweep now, or None.

    On this machine its process must exist; from another machine it must have written in the last minute.
    """
    numbers = storage.session_numbers()
    session = storage.session(numbers[-1]) if numbers else None
    return session if session is not None and session.ended is None and is_alive(session) else None


def refuse_if_live(storage: SweepStorage) -> None:
    """Check that no driver works on the sweep.

    Raises:
        RecordError: one does.
    """
    if (other := live_session(storage)) is not None:
        elsewhere = not _is_here(other)
        heard = f", heard of {max(0.0, time.time() - other.heartbeat):.0f} s ago" if elsewhere else ""
        raise RecordError(
            f"{storage.name} is being run by process {other.pid} on {other.hostname}{heard}:"
            f" wait for it, or `sweeps stop {storage.name}`"
            + (f" (one that is gone counts as gone after {SILENT_SECONDS:.0f} s)" if elsewhere else "")
        )


def is_alive(session: SessionEntry) -> bool:
    """Whether the driver that wrote this session file still lives."""
    beats = time.time() - session.heartbeat < SILENT_SECONDS
    if not _is_here(session):
        return beats
    try:
        process = psutil.Process(session.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # A process id is used again, its moment of birth is not; yet a clock that is set moves all births.
        return beats or abs(process.create_time() - session.process_started) < 1.0
    except psutil.NoSuchProcess:
        return False


def _is_here(session: SessionEntry) -> bool:
    """Whether its process id means something here: containers of one host name see their own processes."""
    return session.hostname == socket.gethostname() and session.machine == machine()


@functools.cache
def machine() -> str:
    """What processes that see each other's ids have in common, until the next boot; empty where unknown."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _user() -> str:
    """The account that runs this process; its number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def stop_leftovers(storage: SweepStorage, why: str) -> None:
    """Note that trials without a worker stopped, at their last sign of life."""
    for trial in storage.record().trials:
        # An outcome that is not believed stays for a person to look at.
        if trial.state is TrialState.RUNNING and "outcome.json" not in storage.trial(trial.key).names():
            last = trial.attempts[-1] if trial.attempts else None
            started = None if last is None else last.started
            storage.trial(trial.key).write_outcome(TrialState.STOPPED, why, trial.seen or started)


class Session:
    """A driver's own entry in the sweep's sessions, kept alive until it closes.

    Args:
        storage: the sweep.
        command: what the driver runs, for readers of the record.

    Raises:
        RecordError: another driver works on the sweep.
    """

    def __init__(self, storage: SweepStorage, command: str) -> None:
        self.storage = storage
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._entry = SessionEntry(
            command=command,
            user=_user(),
            hostname=socket.gethostname(),
            machine=machine(),
            pid=os.getpid(),
            process_started=psutil.Process().create_time(),
            started=time.time(),
            heartbeat=time.time(),
            ended=None,
            outcome=None,
        )
        self.number = self._enter()
        self._thread = threading.Thread(target=self._beat, name="session-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entry.ended is None:
            # Storage that is away cannot be told; this process's death says it as well.
            with contextlib.suppress(StorageError):
                self.close("failed" if kind is None or issubclass(kind, Exception) else "interrupted")

    @property
    def started(self) -> float:
        """When the driver began, seconds since 1970."""
        return self._entry.started

    @property
    def superseded(self) -> bool:
        """Whether another driver took the sweep over, when this one had not been heard of for long."""
        return self.storage.session_numbers()[-1:] != [self.number]

    def request_stop(self, reason: str) -> None:
        """Ask this driver's trials to stop; not those of another driver that took the sweep over."""
        if not self.superseded:
            self.storage.request_stop(reason)

    def _enter(self) -> int:
        """Take the next number: of several drivers at once one gets it, and the others find it alive."""
        while True:
            # The number first: if a driver takes it after this look, the next look finds that driver alive.
            number = max(self.storage.session_numbers(), default=0) + 1
            refuse_if_live(self.storage)
            self._refuse_if_it_beats()
            # An older request to stop was for the driver before; from here on one is for this driver.
            self.storage.clear_stop()
            if self.storage.create_session(number, self._entry):
                if self.storage.is_half_deleted:
                    self.storage.delete_session(number)
                    self.storage.decided()  # raises what there is to do
                return number

    def _refuse_if_it_beats(self) -> None:
        """Watch a driver elsewhere that did not end and seems to be gone."""
        number = max(self.storage.session_numbers(), default=0)
        before = self.storage.session(number) if number else None
        if before is None or before.ended is not None or _is_here(before):
            return
        deadline = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(1.0, WATCH_SECONDS))
            now = self.storage.session(number)
            if now is not None and now.heartbeat != before.heartbeat:
                behind = time.time() - now.heartbeat
                raise RecordError(
                    f"{self.storage.name} is being run by process {now.pid} on {now.hostname}, whose"
                    f" clock is {behind:.0f} s behind: set the clocks, and wait for it, or"
                    f" `sweeps stop {self.storage.name}`"
                )

    def close(self, outcome: str) -> None:
        """Say how it ended: ``finished``, ``budget``, ``interrupted`` or ``failed``."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write(ended=time.time(), outcome=outcome)

    def _beat(self) -> None:
        while not self._closing.wait(HEARTBEAT_SECONDS):
            # Storage that is away for a moment is no reason to die; the trials will say what is wrong.
            with contextlib.suppress(StorageError):
                self._write(heartbeat=time.time())

    def _write(self, **changed: float | str) -> None:
        with self._lock:
            self._entry = self._entry.model_copy(update=changed)
            self.storage.write_session(self.number, self._entry)
