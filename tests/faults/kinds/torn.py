"""A torn file: each kind of file of the storage layout, damaged after the driver was killed."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ..place.bench import Bench
from ..place.case import Case
from ..place.sweep import EndedError, Sweep

FILES = {
    "sweep": "sweep.zip",
    "spec": "spec.yaml",
    "plan": "plan.jsonl",
    "code": "code.json",
    "session": "sessions/*.json",
    "stop": "stop.json",
    "attempt": "trials/*/attempt-*.json",
    "progress": "trials/*/progress.json",
    "checkpoint": "trials/*/checkpoint-*.zip",
    "final": "trials/*/final.zip",
    "outcome": "trials/*/outcome.json",
}
# These are there only after somebody asked the sweep to stop.
_AFTER_A_STOP = ("stop", "outcome")

TEARS: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda content: content[: len(content) // 2],
    "nothing": lambda content: b"",
    "garbage": lambda content: content + bytes(range(256)),
}


class Interrupted:
    """A sweep whose driver was killed, to which every attempt comes back; made once.

    Args:
        folder: of the sweep; the copy that is kept untouched lies beside it.
        stopping: kill the driver while it obeys a SIGTERM.
    """

    def __init__(self, folder: Path, rng: random.Random, stopping: bool) -> None:
        self.folder = folder
        self._kept = folder.with_name(f"{folder.name}-kept")
        kinds = [kind for kind in FILES if stopping or kind not in _AFTER_A_STOP]
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            sweep = Sweep(folder)
            try:
                self._interrupt(sweep, rng, stopping)
            except EndedError:
                continue
            if all(any(sweep.files.glob(FILES[kind])) for kind in kinds):
                shutil.copytree(folder, self._kept)
                return
        raise RuntimeError(f"no interruption left every kind of file: {folder}")

    def restored(self) -> Path:
        """The folder as the interruption left it."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder)
        return self.folder

    def _interrupt(self, sweep: Sweep, rng: random.Random, stopping: bool) -> None:
        command = sweep.run()
        sweep.wait_for_first_trial(command, command.started)
        sweep.wait_for(lambda: any(sweep.files.glob(FILES["final"])), command, 120.0)
        sweep.wait_for(lambda: any(sweep.files.glob(FILES["checkpoint"])), command, 120.0)
        command.family()
        if stopping:
            command.terminate()
            sweep.wait_for(lambda: any(sweep.files.glob(FILES["outcome"])), command, 60.0)
        else:
            time.sleep(rng.uniform(0.0, 0.5))
        command.kill()
        command.left_behind()


def torn(kind: str) -> Callable[[Case], None]:
    """The fault of one kind of file; the attempts take turns with the ways to tear it."""

    def act(case: Case) -> None:
        interrupted = _interrupted(case.bench, stopping=kind in _AFTER_A_STOP)
        sweep = case.take(Sweep(interrupted.restored()))
        newest = max(sweep.files.glob(FILES[kind]), key=lambda path: path.stat().st_mtime)
        how = list(TEARS)[case.number % len(TEARS)]
        case.verdict.steps.append(f"torn: {how}")
        case.strike(lambda: newest.write_bytes(TEARS[how](newest.read_bytes())))
        case.resume()

    return act


def _interrupted(bench: Bench, stopping: bool) -> Interrupted:
    name = "interrupted-stopping" if stopping else "interrupted"
    rng = random.Random(f"{bench.seed}/{name}")
    return bench.once(name, lambda: Interrupted(bench.folder / name, rng, stopping))
