"""`sweeps logs` from storage: a sweep's drivers and trials by time, or one trial epoch by epoch."""

import sys
import threading
from pathlib import Path

import pytest

from support.hand_made import EPOCHS, Sweep
from sweeps.cli.entry import main
from sweeps.results.log import write_log
from tracking.records.records import TrialState
from tracking.storage.sessions import Session


@pytest.fixture(name="sweep")
def _sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.setenv("SWEEPS_STORAGE", str(tmp_path))
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    made = Sweep(tmp_path)
    made.begin(0)
    made.complete(0)
    made.begin(1)
    made.storage.trial(made.plan[1].key).write_outcome(
        TrialState.FAILED, "NonFiniteError: kl became nan\n\nTraceback: line 3", ended=1_700_000_080.0
    )
    made.close()
    return made


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> str:
    monkeypatch.setattr(sys, "argv", ["sweeps", "logs", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    found = capsys.readouterr()
    assert exit_.value.code == code, found.err
    return found.err if code else found.out


def test_a_sweep_here_has_a_log(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, "tiny").splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "K=1 D=2 s0: attempt 1 on elsewhere, process 2",
        "driver 1 on elsewhere, process 1",
        "K=5 D=2 s0: attempt 1 on elsewhere, process 2",
        "K=1 D=2 s0: COMPLETE: final val NLL 20.000 nats, 4.5 s of training",
        "K=5 D=2 s0: FAILED: NonFiniteError: kl became nan",
        "driver 1 ended: finished",
    ]
    assert lines == sorted(lines)


def test_a_trial_is_told_epoch_by_epoch_by_key_or_name(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_key = shown(monkeypatch, capsys, "tiny", "--trial", sweep.plan[0].key[:10])
    assert by_key == shown(monkeypatch, capsys, "tiny", "--trial", "K=1 D=2 s0")
    assert [line.partition("  ")[2].split(":")[0] for line in by_key.splitlines()] == [
        "attempt 1 on elsewhere, process 2",
        *(f"epoch {number} of {EPOCHS}" for number in range(1, EPOCHS + 1)),
        "COMPLETE",
    ]


def test_a_failed_trial_shows_its_traceback(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, capsys, "tiny", "--trial", sweep.plan[1].key).endswith(
        "\n\nTraceback: line 3\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [(("gone",), "no sweep gone in"), (("tiny", "--trial", "K=9"), "tiny has no trial 'K=9'")],
)
def test_what_is_not_there_is_one_line(
    words: tuple[str, ...],
    said: str,
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = shown(monkeypatch, capsys, *words, code=2)
    assert said in line
    assert line.count("\n") == 1


def test_following_ends_with_the_driver_and_tells_each_line_once(sweep: Sweep) -> None:
    told: list[str] = []
    with Session(sweep.storage, "test"):
        follower = threading.Thread(
            target=write_log, args=(sweep.storage, None, told.append), kwargs={"follow": True}
        )
        follower.start()
        sweep.begin(2)
        sweep.complete(2)
    follower.join()
    assert len(told) == len(set(told))
    assert sum("K=20 D=2 s0: COMPLETE" in line for line in told) == 1
    assert "driver 2 ended" in told[-1]
