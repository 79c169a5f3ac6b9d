import io
import logging
import re
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from iwae.config.train import TrainConfig
from sweeps.cli import app as cli_shared
from sweeps.execution.progress import Board
from sweeps.pace.seconds import duration
from sweeps.screen.live import LiveTable
from sweeps.screen.say import log_on, say
from tracking.files.folder import Folder
from tracking.records.records import EpochRecord, PlannedTrial, TrialRecord, TrialState
from tracking.records.shapes import TrialProgress
from tracking.storage.sweep import SweepStorage

METRICS = {"val/nll": 24.5, "time/train_seconds": 3.25}


def planned(index: int, **objective: object) -> PlannedTrial:
    config = TrainConfig.parse({"objective": objective, "seed": index, "num_epochs": 2})
    return PlannedTrial(index, {"objective.num_samples": config.objective.num_samples}, config)


def ended(plan: PlannedTrial, state: TrialState, **values: object) -> TrialRecord:
    history = (EpochRecord(1, 0.0, METRICS), EpochRecord(2, 1.0, METRICS))
    return TrialRecord(plan, state, history, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (1250, "20 min"), (7500, "2 h 5 min")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_pipe_gets_one_line_for_each_trial_that_ends(tmp_path: Path) -> None:
    plans = [planned(0, num_samples=1), planned(1, num_samples=5), planned(2, num_samples=50)]
    board = Board(
        SweepStorage(Folder(tmp_path), "s"), [TrialRecord(plan, TrialState.WAITING) for plan in plans]
    )
    out = io.StringIO()
    with LiveTable(board, "s", Console(file=out, width=60)):
        board.update(ended(plans[0], TrialState.COMPLETE, final={"val/nll_final": 24.125}))
        board.update(ended(plans[1], TrialState.FAILED, error="NonFiniteError: kl became nan\n\nTraceback"))
    assert out.getvalue().splitlines() == [
        "[1/3] K=1 D=20 s0: COMPLETE, final val NLL 24.125 nats, 3.2 s of training",
        "[2/3] K=5 D=20 s1: FAILED, NonFiniteError: kl became nan",
    ]


def test_a_terminal_gets_a_table_with_progress(tmp_path: Path) -> None:
    plans = [planned(0, num_samples=1), planned(1, num_samples=5)]
    storage = SweepStorage(Folder(tmp_path), "s")
    board = Board(storage, [TrialRecord(plan, TrialState.WAITING) for plan in plans])
    board.begin(plans[1].key)
    out = io.StringIO()
    with LiveTable(board, "s", Console(file=out, width=120, height=30, force_terminal=True)):
        storage.trial(plans[1].key).write_progress(
            TrialProgress.from_dict(
                {
                    "phase": "training",
                    "epoch": 1,
                    "num_epochs": 2,
                    "fraction": 0.5,
                    "time": time.time() + 1,
                    **METRICS,
                }
            ),
        )
        board.refresh()
    shown = out.getvalue()
    assert "1/2 training" in shown
    assert "24.500" in shown
    assert "1 RUNNING" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_cuts_no_name(width: int, tmp_path: Path) -> None:
    config = TrainConfig.parse(
        {"objective": {"num_samples": 50}, "annealing": {"name": "linear"}, "num_epochs": 20}
    )
    plan = PlannedTrial(0, {"objective.num_samples": 50, "annealing": {"name": "linear"}}, config)
    board = Board(SweepStorage(Folder(tmp_path), "s"), [TrialRecord(plan, TrialState.WAITING)])
    out = io.StringIO()
    with LiveTable(
        board, "s", Console(file=out, width=width, height=30, force_terminal=True, color_system=None)
    ):
        board.update(ended(plan, TrialState.COMPLETE, final={"val/nll_final": 124.125}))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "").splitlines()
    assert max(map(len, shown)) <= width
    assert any("K=50 D=20 linear s0" in line and "COMPLETE" in line and "124.125" in line for line in shown)
    assert "…" not in "".join(shown)


def test_brackets_in_names_and_messages_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=200)
    say(console, "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0 in [/tmp/x] :bug:")
    assert capsys.readouterr().out == (
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0 in [/tmp/x] :bug:\n"
    )
    table = Table("name")
    table.add_row("hidden_dims=[/32]")
    cli_shared.err.print(table)
    assert "hidden_dims=[/32]" in capsys.readouterr().err


def test_what_is_logged_is_a_plain_line_on_the_console_alone(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("sweeps.runner")
    out = io.StringIO()
    with log_on(Console(file=out, width=20)):
        log.info("[1/2] a line of more than 20 letters :bug: %")
        log.warning("as %d", 5)
        log.debug("not said")
    log.info("not said either")
    assert out.getvalue() == "[1/2] a line of more than 20 letters :bug: %\nas 5\n"
    assert (caplog.messages, capsys.readouterr()) == ([], ("", ""))
