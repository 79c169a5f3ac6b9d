"""Kills of the commands that work on a sweep that has ended: extend, report, verify --repair, delete."""

import shutil
import time
from collections.abc import Callable

from ..place import results
from ..place.case import Case
from ..place.commands import Command
from ..place.sweep import NAME, Sweep

MORE_SEEDS = "search.seeds=[0, 1, 2]"
SPAN_SECONDS = 8.0  # from a command's start; most of it is Python's imports


def extend(case: Case) -> None:
    sweep = _finished(case)
    command = sweep.start("extend", NAME, "--set", MORE_SEEDS, "--json")
    _kill(case, command, case.bench.reference.whole + SPAN_SECONDS)
    # Killed before it had written its plan, there is nothing to go on with.
    again = sweep.start("extend", NAME, "--set", MORE_SEEDS, "--json")
    case.verdict.steps.append("extend")
    case.expect(again, 0)
    found = results.table(sweep.files)
    added = {key: row for key, row in found.items() if key not in case.expected}
    if len(added) != 2 or any(row.state != "COMPLETE" for row in added.values()):
        case.wrong.append(f"{len(added)} trials were added, not 2 that are COMPLETE")
    case.expected = {**case.expected, **added}


def report(case: Case) -> None:
    _again(case, "report", NAME)


def repair(case: Case) -> None:
    sweep = _finished(case)
    (sweep.folder / "mlflow.db").unlink()  # so that everything is recorded anew
    _kill(case, sweep.start("verify", NAME, "--repair"), 3 * SPAN_SECONDS)
    case.verdict.steps.append("verify --repair")
    case.expect(sweep.start("verify", NAME, "--repair"), 0)


def delete(case: Case) -> None:
    sweep = _finished(case)
    _kill(case, sweep.start("delete", NAME, "--yes"), SPAN_SECONDS)
    case.verdict.steps += ["delete", "run"]
    case.expect(sweep.start("delete", NAME, "--yes"), 0, 2)  # 2: nothing was left of it
    case.expect(sweep.run(), 0)


def _again(case: Case, *words: str) -> None:
    sweep = _finished(case)
    _kill(case, sweep.start(*words), SPAN_SECONDS)
    case.verdict.steps.append(words[0])
    case.expect(sweep.start(*words), 0)


def _finished(case: Case) -> Sweep:
    """A copy of the sweep that nobody disturbed, in a folder of its own."""
    assert case.bench.reference.table
    sweep, original = case.new_sweep(), Sweep(case.bench.folder / "reference")
    shutil.copytree(original.folder, sweep.folder, dirs_exist_ok=True)
    return sweep


def _kill(case: Case, command: Command, span: float) -> None:
    """Kill -9 of a command at a random instant; one that has ended by then was not disturbed."""
    harm: Callable[[], object] = command.kill
    case.verdict.instant = case.random.uniform(0.0, span)
    case.pause(command, case.verdict.instant)
    if command.running:
        case.strike(harm)
    else:
        case.struck = time.time()
