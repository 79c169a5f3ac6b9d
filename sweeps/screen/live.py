"""The live table on a terminal, plain lines in a pipe. Everything goes to standard error."""

import contextlib
import threading
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.execution.progress import Board, Row
from sweeps.pace.seconds import duration
from tracking.errors import StorageError
from tracking.records.records import TrialState

REFRESH_SECONDS = 1.0
LINE_SECONDS = 30.0
# Columns of a terminal that has room for bars and long headings.
WIDE = 110
# Lines of the terminal that are not rows of the table.
OTHER_LINES = 6
STYLES = {
    TrialState.COMPLETE: "green",
    TrialState.RUNNING: "cyan",
    TrialState.FAILED: "bold red",
    TrialState.PRUNED: "yellow",
    TrialState.STOPPED: "magenta",
    TrialState.WAITING: "dim",
}


class LiveOutput(Protocol):
    """Output that is replaced by each update: `rich.live.Live`, or a notebook's."""

    def start(self) -> None:
        """Begin."""
        ...

    def update(self, renderable: RenderableType, *, refresh: bool = False) -> None:
        """Show it in place of what was shown before."""
        ...

    def stop(self) -> None:
        """Leave what was shown last."""
        ...


class LiveTable:
    """Shows a board while its context is open.

    Args:
        board: what is shown.
        name: the sweep's name.
        console: where; a live table when it is a terminal, else a line for each trial that ends.
        table: shows a live table in another place.
    """

    def __init__(self, board: Board, name: str, console: Console, table: LiveOutput | None = None) -> None:
        self._board = board
        self._name = name
        self._console = console
        self._closing = threading.Event()
        if table is None and console.is_terminal:
            table = Live(console=console, auto_refresh=False)
        self._live = table
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
        self._show(last=True)
        if self._live is not None:
            self._live.stop()

    def _run(self) -> None:
        ticks = 0
        while not self._closing.wait(REFRESH_SECONDS):
            with contextlib.suppress(StorageError):  # shown as it was; the trials will say what is wrong
                self._board.refresh()
            ticks += 1
            self._show(summary=ticks % round(LINE_SECONDS / REFRESH_SECONDS) == 0)

    def _show(self, *, summary: bool = False, last: bool = False) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            return
        rows = self._board.rows()
        ended = sum(row.state.ended for row in rows)
        changed = [row for row in self._board.take_changed() if row.state is not TrialState.WAITING]
        before = ended - sum(row.state.ended for row in changed)
        for row in changed:
            before += row.state.ended
            self._console.print(_line(row, before, len(rows)), soft_wrap=True, highlight=False)
        if summary and not last:
            running = ", ".join(_doing(row) for row in rows if row.state is TrialState.RUNNING)
            left = self._board.seconds_left()
            when = f", about {duration(left)} left" if left is not None else ""
            doing = f"; {running}" if running else ""
            self._console.print(f"  {ended}/{len(rows)} trials{when}{doing}", soft_wrap=True, highlight=False)

    def _table(self) -> Group:
        rows, wide = self._board.rows(), self._console.size.width >= WIDE
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("trial", overflow="fold")
        for heading in ("state", *(["progress"] if wide else []), "" if wide else "epoch"):
            table.add_column(heading, no_wrap=True)
        name = " or ".join(dict.fromkeys(row.measure.short for row in rows))
        for heading in (f"val {name}", f"final val {name}" if wide else f"final {name}", "train s"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in _most_interesting(rows, max(4, self._console.size.height - OTHER_LINES)):
            bar = ProgressBar(total=1.0, completed=row.fraction, width=20)
            table.add_row(
                row.planned.name,
                Text(row.state.value, STYLES[row.state]),
                *([bar] if wide else []),
                f"{row.epoch}/{row.planned.config.num_epochs} {_phase(row, wide=wide)}",
                _shown(row, row.score),
                _shown(row, row.final_score),
                f"{row.train_seconds:.1f}" if row.epoch else "",
            )
        return Group(self._headline(rows), table)

    def _headline(self, rows: list[Row]) -> Text:
        states = [row.state for row in rows]
        counts = "  ".join(f"{states.count(s)} {s.value}" for s in TrialState if s in states)
        left = self._board.seconds_left()
        best = self._board.best()
        text = Text(f"{self._name}  ", "bold")
        text.append(counts, "default")
        if left is not None:
            text.append(f"  about {duration(left)} left", "dim")
        elif not all(state.ended for state in states):
            text.append("  estimating…", "dim")
        if best is not None:
            text.append(
                f"\nlowest final val {best.measure.name} so far {_shown(best, best.final_score)}:"
                f" {best.planned.name}",
                "green",
            )
        return text


def _phase(row: Row, *, wide: bool) -> str:
    """What a trial does now; training goes without saying where there is little room."""
    if row.state is not TrialState.RUNNING:
        return ""
    short = {"training": "", "evaluating": "eval", "final evaluation": "final"}
    return row.phase if wide else short.get(row.phase, row.phase)


def _most_interesting(rows: list[Row], number: int) -> list[Row]:
    """As many rows as fit: running and failed ones, then those just before and after them in the plan."""
    if len(rows) <= number:
        return rows
    first = {TrialState.RUNNING: 0, TrialState.FAILED: 1}
    active = [i for i, row in enumerate(rows) if row.state is TrialState.RUNNING] or [0]
    middle = active[0]
    order = sorted(range(len(rows)), key=lambda i: (first.get(rows[i].state, 2), abs(i - middle)))
    return [rows[i] for i in sorted(order[:number])]


def _line(row: Row, ended: int, total: int) -> str:
    width = len(str(total))
    text = f"[{ended:{width}}/{total}] {row.planned.name}: {row.state.value}"
    if row.final_score is not None:
        value = f"{_shown(row, row.final_score)} {row.measure.unit}".rstrip()
        return f"{text}, final val {row.measure.name} {value}, {row.train_seconds:.1f} s of training"
    if row.error is not None:
        cause = row.error.partition("\n")[0]
        return f"{text}, {cause}"
    return f"{text} after {row.epoch} of {row.planned.config.num_epochs} epochs"


def _doing(row: Row) -> str:
    return f"{row.planned.name} {row.phase} {row.fraction:.0%}"


def _shown(row: Row, value: float | None) -> str:
    return "" if value is None else row.measure.precise(value)
