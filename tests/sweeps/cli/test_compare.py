"""`sweeps compare` on two sweeps in storage."""

import json
import sys
from pathlib import Path

import pytest

from support.hand_made import Sweep
from sweeps import compare
from sweeps.cli.entry import main


@pytest.fixture(name="storage")
def _storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, ks in (("before", (1, 5, 20)), ("after", (5, 20, 50))):
        Sweep(tmp_path, name, ks).finish()
    Sweep(tmp_path, "new")
    monkeypatch.setenv("SWEEPS_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["sweeps", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


def test_a_table_of_what_both_have(
    storage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "compare", "before", "after") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("A = before\nB = after\n")
    # Trial i of a sweep made by hand ends at 20 + i nats, after as many seconds as every other.
    assert ["K", "=", "5", "21.00", "20.00", "−1.00", "×1.00"] in [
        line.split() for line in shown.splitlines()
    ]
    assert "Only in A: K=1 D=2." in shown


def test_json_and_the_library_say_the_same(
    storage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "compare", "before", "after", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values == compare("before", "after", storage=storage).to_dict()
    assert [row["val_nll_final"]["difference"] for row in values["configurations"]] == [-1.0, -1.0]
    assert (values["first"], values["second"], values["only_second"]) == ("before", "after", ["K=50 D=2"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("before", "new"), "error: new has no complete trial yet: there is nothing to compare\n"),
        (("before", "gone"), "error: no sweep gone in "),
        (("before", "../x"), "error: B: "),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    words: tuple[str, str],
    said: str,
    storage: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(monkeypatch, "compare", *words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(said)
    assert shown.err.count("\n") == 1
