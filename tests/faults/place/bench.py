"""What the attempts share: a folder, a seed, the uninterrupted sweep, a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from . import results
from .sweep import Sweep

T = TypeVar("T")


class NotHereError(Exception):
    """A fault that cannot be made on this machine, and why."""


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
