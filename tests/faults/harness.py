"""One attempt: start a sweep, wait for a random instant, do harm, recover as a user would, judge."""

import shutil
import time
from collections import Counter
from collections.abc import Callable

from tracking.mlflow.client import Client

from .place import results
from .place.bench import Bench, NotHereError
from .place.case import Case, Verdict
from .place.commands import STACK, StuckError
from .place.sweep import NAME, EndedError, Sweep

DRAWS = 5  # instants tried until one falls into the running sweep


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
    elif case.sweep is not None and case.sweep.folder != case.folder:
        shutil.copytree(case.sweep.folder, case.folder, dirs_exist_ok=True)  # the next attempt restores it
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
        verdict.wrong += [
            what for what in command.complaints if not (case.ray_may_abort and what.endswith(STACK))
        ]


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
