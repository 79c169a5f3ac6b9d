"""One attempt: start a sweep, wait for a random instant, do harm, recover as a user would, judge."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tracking.client import Client

from . import results
from .commands import Command, StuckError
from .sweep import NAME, EndedError, Sweep

T = TypeVar("T")

DRAWS = 5  # instants tried until one falls into the running sweep


class NotHereError(Exception):
    """A fault that cannot be made on this machine, and why."""


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


@dataclass(frozen=True)
class Reference:
    """The uninterrupted sweep: its results, and how long it takes from the first trial's start.

    Attributes:
        trials: seconds to the last trial's end. whole: to the end of the command.
        final: seconds of the longest final evaluation.
        steps: optimizer steps of a trial.
    """

    table: dict[str, results.Row]
    trials: float
    whole: float
    final: float
    steps: int


class Bench:
    """What the attempts share: a folder, a seed and the uninterrupted sweep.

    Args:
        folder: where everything lies; an attempt that survived is removed from it.
        seed: decides every instant.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.closing: list[Callable[[], None]] = []
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What several attempts share, made when the first one asks."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    @cached_property
    def reference(self) -> Reference:
        """The sweep without a fault, run once."""
        sweep = Sweep(self.folder / "reference")
        command = sweep.run()
        if code := command.wait():
            raise RuntimeError(f"the sweep without a fault: exit {code}\n{command.err.read_text()}")
        assert sweep.verify() == {"ok": True, "faults": []}
        began = [a["started"] for _, _, a in results.attempts(sweep.files)]
        ended = [path.stat().st_mtime for path in sweep.files.glob("trials/*/final.zip")]
        table = results.table(sweep.files)
        assert command.ended is not None
        final, steps = results.final_seconds(sweep.files), results.steps(sweep.files)
        return Reference(table, max(ended) - min(began), command.ended - min(began), final, steps)

    def close(self) -> None:
        """End what was started for several attempts."""
        while self.closing:
            self.closing.pop()()


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
        self.random = random.Random(f"{bench.seed}/{fault}/{number}/{draw}")
        self.verdict = Verdict(fault, number)
        self.folder = bench.folder / f"{fault.replace(':', '-')}-{number}-{draw}"
        self.wrong = self.verdict.wrong
        self.sweep: Sweep | None = None
        self.struck = 0.0
        self.recovered: float | None = None
        self.only_repeated = False
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
        self.verdict.instant = self.random.uniform(0.0, span)
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
        if code < 0:
            self.wrong.append(f"`{command}`: ended by signal {-code}")
        if code != 0:
            self.resume()

    def resume(self) -> None:
        """Go on with the sweep as a user would."""
        assert self.sweep is not None
        self.verdict.steps.append("resume")
        self.expect(self.sweep.resume(), 0)

    def repair_where_asked(self, command: Command) -> None:
        """`verify --repair`, where MLflow was away to the end and the command says so."""
        assert self.sweep is not None
        if "--repair" in command.out.read_text() + command.err.read_text():
            self.verdict.steps.append("verify --repair")
            self.sweep.verify("--repair")


def attempt(bench: Bench, fault: str, number: int, act: Callable[[Case], None]) -> Verdict:
    """One attempt of a fault, with further instants where the first did not hit the running sweep."""
    began = time.monotonic()
    for draw in range(DRAWS):
        case = Case(bench, fault, number, draw)
        verdict = case.verdict
        verdict.folder = str(case.folder)
        try:
            act(case)
        except EndedError as ended:
            _clean(case)
            verdict.wrong.append(f"missed the running sweep {draw + 1} times: {ended}")
            continue
        except StuckError as stuck:
            verdict.wrong.append(f"stuck: {stuck}")
        except NotHereError:
            _clean(case)
            raise
        except Exception as error:
            verdict.wrong.append(f"the harness itself: {type(error).__name__}: {error}")
        _judge(case)
        for close in reversed(case.closing):
            close()
        break
    verdict.took = time.monotonic() - began
    if verdict.survived:
        shutil.rmtree(case.folder, ignore_errors=True)
    return verdict


def _clean(case: Case) -> None:
    """End and remove what an attempt left."""
    for command in case.sweep.commands if case.sweep else ():
        if command.running:
            command.destroy()
        command.left_behind(0.0)
    for close in reversed(case.closing):
        close()
    shutil.rmtree(case.folder, ignore_errors=True)


def _judge(case: Case) -> None:
    sweep, verdict = case.sweep, case.verdict
    if sweep is None:
        return
    for command in sweep.commands:
        if command.running:
            command.destroy()
        verdict.wrong += [f"`{command}` left behind: {name}" for name in command.left_behind()]
    verdict.seconds = _seconds_to_recover(case)
    for fault in sweep.verify()["faults"]:
        verdict.wrong.append(f"verify: {(fault['trial_key'] or 'sweep')[:12]}: {fault['what']}")
    try:
        lost = results.differences(case.expected, results.table(sweep.files))
        doubled = results.twice(sweep.files)
        runs = _runs(sweep)
    except Exception as error:
        verdict.lost = len(case.expected)
        verdict.wrong.append(f"its results cannot be read: {type(error).__name__}: {error}")
        return
    doubled |= {key for key, count in runs.items() if count > 1}
    missing = [key for key in case.expected if key not in runs]
    verdict.lost, verdict.doubled = len({*lost, *missing}), len(doubled)
    verdict.wrong += [f"lost: {key[:12]} {what}" for key, what in lost.items()]
    verdict.wrong += [f"lost: {key[:12]} has no run in MLflow" for key in missing]
    verdict.wrong += [f"doubled: {key[:12]} ({runs[key]} runs)" for key in sorted(doubled)]
    for command in sweep.commands:
        verdict.wrong += command.complaints


def _runs(sweep: Sweep) -> Counter[str]:
    runs = Client(sweep.tracking_uri).runs({"sweeps.kind": "trial", "sweeps.name": NAME})
    return Counter(run.tags["sweeps.trial_key"] for run in runs)


def _seconds_to_recover(case: Case) -> float | None:
    assert case.sweep is not None
    if not case.struck:
        return None
    began = case.sweep.attempts_since(case.struck, 2 if case.only_repeated else 1)
    ends = [command.ended for command in case.sweep.commands if command.ended is not None]
    moment = case.recovered or (began[0] if began else max(ends, default=case.struck))
    return max(0.0, moment - case.struck)
