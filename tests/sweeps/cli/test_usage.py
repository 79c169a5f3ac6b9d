"""Wrong command lines: one line that names the fix, exit code 2, as for every mistake."""

import re
import sys

import pytest

from sweeps.cli.entry import main

WRONG = [
    (["bogus"], r"no such command 'bogus'.*\(see `sweeps --help`\)"),
    (["statu", "x"], r"no such command 'statu'. Did you mean 'status'"),
    (["run"], r"missing argument 'SPEC' \(see `sweeps run --help`\)"),
    (["status"], "missing argument 'NAME'"),
    (["run", "x", "--storag", "y"], r"no such option: --storag .*--storage.* \(see `sweeps run --help`\)"),
    (["run", "x", "--set"], "option '--set' requires an argument"),
    (["list", "extra"], r"unexpected extra argument.*\(extra\)"),
    (["stop", "x", "--timeout", "soon"], "'--timeout': must be a valid number"),
    (["stop", "x", "--timeout", "-1"], "'--timeout': must be greater than or equal to 0"),
    (["ui", "--port", "70000"], "'--port': must be less than or equal to 65535"),
    (["ui", "--port", "-1"], "'--port': must be greater than or equal to 0"),
]


@pytest.mark.parametrize(
    ("words", "said"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_wrong_command_line_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _run(words, 2, capsys, monkeypatch)
    assert shown.out == ""
    assert re.fullmatch(rf"error: .*{said}.*\n", shown.err)


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "-h"]])
def test_help_is_a_result(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _run(words, 0, capsys, monkeypatch)
    assert "Usage: sweeps" in shown.out
    assert shown.err == ""


def test_the_version_is_that_of_the_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.fullmatch(r"sweeps \d+\.\d+\.\d+\n", _run(["--version"], 0, capsys, monkeypatch).out)


def _run(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "pytest.CaptureResult[str]":
    monkeypatch.setattr(sys, "argv", ["sweeps", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == code
    return capsys.readouterr()
