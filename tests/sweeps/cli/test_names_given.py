"""A sweep's name from the command line is checked before anything is looked at."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeps.cli.entry import main
from sweeps.cluster.jobs import _is_sweep

WITH_A_NAME = [
    "resume {}",
    "extend {} --set search.seeds=[0]",
    "verify {}",
    "verify {} --repair",
    "report {}",
    "best {}",
    "delete {} --yes",
    "status {}",
    "logs {}",
    "stop {}",
    "ui {}",
    "reproduce --best {}",
    "fork RUN --name {}",
    "run quickstart --name {}",
    "plan quickstart --name {}",
    "submit quickstart --name {}",
]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("words", WITH_A_NAME)
@pytest.mark.parametrize("name", ["..", "tiny/", "../tiny", "/tmp/x"])
def test_a_path_is_refused_where_a_name_belongs(
    words: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text("name: tiny\n")
    (tmp_path / "sweeps-storage" / "tiny").mkdir(parents=True)
    before = tree(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sweeps", *words.format(name).split()])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr()
    assert exit_.value.code == 2
    assert shown.out == ""
    before_it = words.partition("{}")[0].split()[-1]
    option = before_it if before_it.startswith("--") else "NAME"
    assert shown.err == (
        f"error: {option}: {name!r} is not allowed: must be letters, digits, '-', '_' and '.', not starting"
        " with '-' or '.'\n"
    )
    assert tree(tmp_path) == before


def test_a_job_that_names_no_sweep_is_none_of_ours() -> None:
    for name, ours in (("tiny", True), ("../tiny", False), ("a b", False)):
        details = SimpleNamespace(submission_id=f"sweeps-{name}-0001", metadata={"sweeps.name": name})
        assert _is_sweep(details) is ours


def test_a_specs_path_that_is_too_long_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeps", "plan", "x" * 300])
    with pytest.raises(SystemExit) as exit_:
        main()
    shown = capsys.readouterr().err
    assert exit_.value.code == 2
    assert shown == f"error: {'x' * 100}: cannot be read: {os.strerror(36)}\n"
