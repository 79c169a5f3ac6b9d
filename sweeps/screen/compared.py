"""Two sweeps against each other, on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sweeps.screen.say import say
from tracking.records.comparable.score import Score
from tracking.report.words.two_sweeps import is_better, is_worse, remarks, verdict_sentences
from tracking.statistics.numbers import ends, times

if TYPE_CHECKING:
    from tracking.analysis.two_sweeps.comparison import Row, TwoSweeps


def show_compared(found: "TwoSweeps", console: Console) -> None:
    """What differs in words, and a row a configuration: NLLs in nats, and the ratio of training seconds."""
    for letter, name, storage in zip("AB", found.names, found.storages, strict=True):
        say(console, f"{letter} = {name}" + (f" in {storage}" if len(set(found.storages)) > 1 else ""))
    for line in verdict_sentences(found):
        console.print(line, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("configuration", overflow="fold")
    score = found.score
    for heading in (f"{score.name} A", f"{score.name} B", "B − A", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("B is", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for row in found.rows:
        style = "green" if is_better(row) else "red" if is_worse(row) else None
        table.add_row(*_cells(row, score), style=style)
    console.print(table)
    for line in remarks(found):
        console.print(line, highlight=False)


def _cells(row: "Row", score: Score) -> tuple[str, ...]:
    means = [side.mean(score.column) or 0.0 for side in (row.first, row.second)]
    verdict = "better" if is_better(row) else "worse" if is_worse(row) else ""
    if row.diverged:
        verdict = "diverged"
    return (
        row.name,
        *map(score.show, means),
        score.signed(row.validation.value),
        score.between(ends(row.validation)),
        verdict,
        times(row.slower)[0],
    )
