"""One attempt under way: what a fault is given to do its harm and to recover."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import results
from .bench import Bench
from .commands import Command
from .sweep import EndedError, Sweep


@dataclass
class Verdict:
    """What became of one attempt.

    Attributes:
        instant: seconds from the first trial's start to the fault.
        lost: trials that are missing or have other results than the uninterrupted sweep's.
        doubled: trials planned, recorded or logged more than once.
        seconds: from the fault to the first trial that went on; to the end when none had to.
        steps: what a user had to do, in order.
        wrong: everything that was not as it must be; empty when the sweep survived.
    """

    fault: str
    number: int
    instant: float = 0.0
    lost: int = 0
    doubled: int = 0
    seconds: float | None = None
    steps: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    took: float = 0.0
    folder: str = ""

    @property
    def survived(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong


class Case:
    """One attempt under way: what a fault is given.

    Args:
        bench: shared by the attempts.
        fault: its name.
        number: of the attempt, from 0.
        draw: how many instants of this attempt fell outside the running sweep.
    """

    def __init__(self, bench: Bench, fault: str, number: int, draw: int) -> None:
        self.bench = bench
        self.number = number
        self._draw = draw
        self.random = random.Random(f"{bench.seed}/{fault}/{number}/{draw}")
        self.verdict = Verdict(fault, number)
        self.folder = bench.folder / f"{fault.replace(':', '-')}-{number}-{draw}"
        self.wrong = self.verdict.wrong
        self.sweep: Sweep | None = None
        self.struck = 0.0
        self.recovered: float | None = None
        self.only_repeated = False
        self.ray_may_abort = False
        self.expected: dict[str, results.Row] = {}
        self.closing: list[Callable[[], None]] = []

    def new_sweep(self, **options: Any) -> Sweep:
        """The attempt's sweep."""
        return self.take(Sweep(self.folder, **options))

    def take(self, sweep: Sweep) -> Sweep:
        """Make a sweep the attempt's own."""
        self.sweep = sweep
        self.expected = self.bench.reference.table
        return sweep

    def wait_for_instant(self, command: Command, span: float) -> None:
        """Wait for the first trial's start and then a random part of so many seconds.

        Raises:
            EndedError: the command ended before.
        """
        assert self.sweep is not None
        self.sweep.wait_for_first_trial(command, command.started)
        # A busy machine's reference may be the slower one: after a miss, from a shorter span.
        self.verdict.instant = self.random.uniform(0.0, span * 0.6**self._draw)
        self.pause(command, self.verdict.instant)
        if not command.running:
            raise EndedError(f"`{command}` ended before the instant")
        command.family()

    def pause(self, command: Command, seconds: float) -> None:
        """Let so many seconds go by, or fewer where the command ends."""
        end = time.monotonic() + seconds
        while command.running and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.05, left))

    def strike(self, harm: Callable[[], object]) -> None:
        """Do the harm; recovery counts from here."""
        self.struck = time.time()
        harm()

    def expect(self, command: Command, *codes: int, seconds: float = 300.0) -> int:
        """Wait for a command's end, with one of these exit codes."""
        code = command.wait(seconds)
        if code not in codes:
            said = " ".join(command.err.read_text(errors="replace").split())[-200:]
            self.wrong.append(f"`{command}`: exit {code}, not {' or '.join(map(str, codes))}: {said}")
        return code

    def go_on(self, command: Command) -> None:
        """Wait for a command's end; resume where it could not finish."""
        code = command.wait()
        if code < 0 and self.ray_may_abort:
            self.verdict.steps.append(f"Ray ended its driver by signal {-code}")
        elif code < 0:
            self.wrong.append(f"`{command}`: ended by signal {-code}")
        if code != 0:
            self.resume()

    def resume(self) -> None:
        """Go on with the sweep as a user would."""
        assert self.sweep is not None
        self.verdict.steps.append("resume")
        self.expect(self.sweep.resume(), 0)

    def expect_done(self, command: Command) -> None:
        """Wait for its end: exit 0, or 1 where MLflow was away to the end and a repair is asked for."""
        assert self.sweep is not None
        command.wait()
        asked = "then bring it up to date: sweeps verify" in command.out.read_text() + command.err.read_text()
        self.expect(command, 1 if asked else 0)
        if asked:
            self.verdict.steps.append("verify --repair")
            self.sweep.verify("--repair")
