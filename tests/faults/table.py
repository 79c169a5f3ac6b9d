"""The benchmark's result: a table for people, plain values for machines."""

import statistics
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from .kinds.faults import FAULTS, Fault
from .place.case import Verdict


def show(verdicts: list[Verdict], skipped: dict[str, str], console: Console) -> None:
    """The table, and a line for everything that was wrong."""
    shown = Table("fault", "times", "survived", "lost", "doubled", "s to recover", "max", "s in all", "note")
    for fault in FAULTS:
        own = [verdict for verdict in verdicts if verdict.fault == fault.name]
        if own or fault.name in skipped:
            shown.add_row(fault.what, *_cells(own), skipped.get(fault.name, _note(own)))
    shown.add_section()
    shown.add_row("all", *_cells(verdicts), "")
    console.print(shown)
    for verdict in verdicts:
        for what in verdict.wrong:
            line = f"{verdict.fault} {verdict.number} at {verdict.instant:.2f} s: {what}"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        if verdict.wrong:
            console.print(f"  what it left: {verdict.folder}", soft_wrap=True, highlight=False, markup=False)


def _cells(verdicts: list[Verdict]) -> list[str]:
    seconds = [verdict.seconds for verdict in verdicts if verdict.seconds is not None]
    return [
        str(len(verdicts)),
        str(sum(verdict.survived for verdict in verdicts)),
        str(sum(verdict.lost for verdict in verdicts)),
        str(sum(verdict.doubled for verdict in verdicts)),
        f"{statistics.median(seconds):.1f}" if seconds else "",
        f"{max(seconds):.1f}" if seconds else "",
        f"{sum(verdict.took for verdict in verdicts):.0f}",
    ]


def _note(verdicts: Iterable[Verdict]) -> str:
    steps = [step for verdict in verdicts for step in verdict.steps if not step.startswith("torn")]
    return ", ".join(f"{step} ×{steps.count(step)}" for step in sorted(set(steps)))


def as_json(
    verdicts: list[Verdict], skipped: dict[str, str], seed: int, faults: Iterable[Fault]
) -> dict[str, Any]:
    """Everything, with what repeats it."""
    return {
        "seed": seed,
        "faults": [{"name": fault.name, "what": fault.what} for fault in faults],
        "skipped": skipped,
        "attempts": [{**asdict(verdict), "survived": verdict.survived} for verdict in verdicts],
    }
