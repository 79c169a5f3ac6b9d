import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.execution.stopping import BUDGET, how_to_go_on
from sweeps.plan.plan import draw_plan
from sweeps.runner import outcome_of
from sweeps.spec.spec import SweepSpec
from tracking.files.folder import Folder
from tracking.records.records import TrialRecord, TrialState
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage

SEARCH = {"space": {"objective.num_samples": {"grid": [1, 5]}}}
SPEC = SweepSpec.parse({"name": "small", "base": {"data": {"name": "digits"}}, "search": SEARCH})
SUGGESTED = SweepSpec.parse(
    {
        "name": "small",
        "base": {"data": {"name": "digits"}},
        "search": {
            "space": {"optimizer.lr": {"loguniform": [1e-4, 1e-2]}},
            "sampler": {"name": "tpe"},
            "num_trials": 4,
        },
    }
)


def trials(*states: TrialState) -> list[TrialRecord]:
    return [TrialRecord(planned, state) for planned, state in zip(draw_plan(SPEC), states, strict=True)]


@pytest.mark.parametrize(
    ("spec", "last", "reason", "outcome"),
    [
        (SPEC, TrialState.COMPLETE, None, "finished"),
        (SPEC, TrialState.COMPLETE, "SIGTERM", "finished"),
        (SPEC, TrialState.FAILED, BUDGET, "finished"),
        (SPEC, TrialState.STOPPED, "SIGTERM", "interrupted"),
        (SPEC, TrialState.STOPPED, BUDGET, "budget"),
        (SPEC, TrialState.WAITING, None, "interrupted"),
        (SUGGESTED, TrialState.COMPLETE, None, "finished"),
        (SUGGESTED, TrialState.COMPLETE, "SIGTERM", "interrupted"),
        (SUGGESTED, TrialState.COMPLETE, BUDGET, "budget"),
    ],
)
def test_who_is_asked_to_stop_when_all_is_done_has_finished(
    spec: SweepSpec, last: TrialState, reason: str | None, outcome: str
):
    assert outcome_of(spec, trials(TrialState.COMPLETE, last), reason) == outcome


def test_what_ends_a_sweep_at_once_says_how_to_go_on_once_there_is_something_to_go_on_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    storage = SweepStorage(Folder(tmp_path), "small")
    caplog.set_level("INFO", "sweeps")
    with pytest.raises(KeyboardInterrupt), how_to_go_on(storage):
        raise KeyboardInterrupt
    assert caplog.messages == []
    storage.create(Decided.of(SPEC.to_dict(), draw_plan(SPEC), {"commit": "c0ffee"}))
    with pytest.raises(KeyboardInterrupt), how_to_go_on(storage):
        raise KeyboardInterrupt
    assert caplog.messages == ["ended at once; go on with: sweeps resume small"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_very_end_of_a_command_comes_too_late(number: int):
    """The interpreter's end takes a while: what was done keeps its exit code."""
    code = (
        "import atexit, os, sys\n"
        f"atexit.register(lambda: os.kill(os.getpid(), {int(number)}))\n"
        "from sweeps.cli.entry import main\n"
        "sys.argv = ['sweeps', 'specs']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_whose_exception_a_library_swallowed_is_not_lost(name: str) -> None:
    code = (
        "import os, signal\n"
        "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"  # a background ignores some
        "    signal.signal(number, signal.SIG_DFL)\n"
        "from sweeps.process import signals\nfrom sweeps.execution.stopping import stop_on_signals\n"
        "signals.end_in_order()\n"
        "try:\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "except BaseException:\n"
        "    print('swallowed')\n"
        "try:\n"
        "    with stop_on_signals(None):\n"
        "        print('went on')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "swallowed\ninterrupted\n", done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_that_was_ignored_from_the_start_is_ignored_to_the_end(name: str) -> None:
    """Of `sweeps run … &` in a script, and of `nohup`: one rule for the start and for the trials."""
    code = (
        f"import os, signal\nsignal.signal(signal.{name}, signal.SIG_IGN)\n"
        "from sweeps.process import signals\n"
        "signals.end_in_order()\n"
        f"os.kill(os.getpid(), signal.{name})\n"
        "with signals.asking(print):\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "SIGTERM\n", done.stderr


def test_the_first_signal_asks_and_the_second_ends_at_once() -> None:
    code = (
        "import os, signal\n"
        "from sweeps.process import signals\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "with signals.asking(print):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('left')\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler\n"
        "try:\n"
        "    with signals.asking(print):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        print('went on')\n"
        "except KeyboardInterrupt:\n"
        "    print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "SIGTERM\nleft\nSIGTERM\nended\n", done.stderr


DRAWS_TO_THE_END = """
import sys, threading
from matplotlib import font_manager, ft2font
from sweeps.__main__ import main

drawing = threading.Event()

def draw():
    font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
    while True:
        font.set_size(12, 72)
        font.set_text("axes and their labels " * 20)
        drawing.set()

threading.Thread(target=draw, daemon=True).start()
drawing.wait()
sys.argv[1:] = ["specs"]
main()
"""


def test_a_thread_that_draws_while_a_command_ends_does_not_abort_it() -> None:
    """As the recorder may when a signal ends a sweep at once: it was SIGABRT or SIGSEGV in 6 of 6."""
    done = subprocess.run([sys.executable, "-c", DRAWS_TO_THE_END], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "quickstart" in done.stdout


def test_an_idle_pool_of_threads_does_not_keep_a_command_from_ending() -> None:
    """As MLflow leaves one; its threads are no daemons, and end when the interpreter asks them to."""
    code = (
        "import concurrent.futures, sys\nfrom sweeps.__main__ import main\n"
        "pool = concurrent.futures.ThreadPoolExecutor(1)\n"
        "pool.submit(int).result()\n"
        "sys.argv[1:] = ['specs']\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
