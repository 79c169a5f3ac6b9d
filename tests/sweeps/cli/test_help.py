"""What help shows as an override is taken; what is wrong is told before anything slow begins."""

import io
import os
import re
import shlex
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.main import get_command

from iwae.config.train import TrainConfig
from sweeps.changes import extended, resumed_from
from sweeps.cli.app import app
from sweeps.cli.entry import main
from sweeps.cli.usage import EXAMPLES
from sweeps.plan.plan import draw_plan
from sweeps.screen import terminal
from sweeps.screen.say import say
from sweeps.screen.terminal import Terminal
from sweeps.spec.assignments import assign
from sweeps.spec.spec import load_spec
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.files.places import open_storage
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage


def examples(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The overrides in the help of a command."""
    monkeypatch.setattr(sys, "argv", ["sweeps", command, "--help"])
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        main()
    shown = re.findall(r"--set (?:'([^']+)'|(\S+=[^\s`.]+))", capsys.readouterr().out)
    return [quoted or bare for quoted, bare in shown]


@pytest.fixture(name="sweep")
def _sweep(tmp_path: Path) -> SweepStorage:
    spec = load_spec("quickstart")
    storage = SweepStorage(Folder(tmp_path), "quickstart")
    storage.create(Decided.of(spec.to_dict(), draw_plan(spec), {"commit": "c0ffee"}))
    return storage


@pytest.mark.parametrize("command", ["run", "plan", "submit", "extend", "resume", "fork"])
def test_the_overrides_that_help_shows_are_taken(
    command: str, sweep: SweepStorage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = examples(command, capsys, monkeypatch)
    assert shown
    if command == "extend":
        assert {trial.config.seed for trial in extended(sweep, shown)[1]} == {0, 1, 2, 3}
    elif command == "resume":
        assert resumed_from(sweep.spec(), shown).budget.wall_clock == 7200
    elif command == "fork":
        config = TrainConfig.parse(assign(TrainConfig().to_dict(), shown))
        assert (config.objective.num_samples, config.num_epochs) == (50, 20)
    else:
        assert load_spec("quickstart", shown).base.num_epochs == 20


@pytest.mark.parametrize(
    "words",
    [
        ["run", "quickstart", "--set", "base.num_epoch=5"],
        ["run", "quickstart", "--set", "base.num_epochs"],
        ["plan", "quickstart", "--set", "search.seeds=[0, 0]"],
        ["extend", "quickstart", "--set", "search.seed=[0]"],
        ["resume", "quickstart", "--set", "base.num_epochs=9"],
    ],
    ids=" ".join,
)
def test_a_wrong_override_is_told_before_anything_slow_is_imported(
    words: list[str], sweep: SweepStorage, tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom sweeps.cli.entry import main\n"
        f"sys.argv = {['sweeps', *words]!r}\n"
        "try: main()\n"
        "finally: print([m for m in ('torch', 'ray', 'mlflow', 'matplotlib') if m in sys.modules])\n"
    )
    environment = {"SWEEPS_STORAGE": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_the_first_words_of_run_in_a_pipe_come_before_anything_slow_is_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom sweeps.cli.entry import main\nfrom sweeps.screen.terminal import Terminal\n"
        "say = Terminal.checking\n"
        "def checking(self, what):\n"
        "    say(self, what)\n"
        "    print([m for m in ('torch', 'ray', 'mlflow', 'scipy') if m in sys.modules], flush=True)\n"
        "    os._exit(0)\n"
        "Terminal.checking = checking\n"
        "sys.argv = ['sweeps', 'run', 'quickstart']\n"
        "main()\n"
    )
    environment = {"SWEEPS_STORAGE": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (
        "[]\n",
        "sweep quickstart: checking data and tracking store\n",
    )


@pytest.mark.parametrize(
    ("gpus", "asked", "said"),
    [
        (2, "0", "leaves 2 GPUs unused: --set resources.gpus=1 gives a trial one"),
        (2, "1", ""),
        (0, "0", ""),
    ],
)
def test_plan_says_that_a_gpu_is_left_unused(
    gpus: int,
    asked: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {i}: NVIDIA H100'\n" for i in range(gpus)))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(sys, "argv", ["sweeps", "plan", "quickstart", "--set", f"resources.gpus={asked}"])
    monkeypatch.setenv("SWEEPS_STORAGE", str(tmp_path / "storage"))
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert said in shown
    assert ("unused" in shown) == bool(said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_command_is_one_that_it_takes(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeps", name, "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main()
    assert f"Example: {EXAMPLES[name]}" in capsys.readouterr().out
    program, command, *words = shlex.split(EXAMPLES[name].partition(" > ")[0])
    assert (program, command) == ("sweeps", name)
    parsed = get_command(app).commands[name].make_context(name, words).params  # type: ignore[attr-defined]
    if parsed.get("spec"):
        load_spec(parsed["spec"], parsed.get("assignments") or ())


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(get_command(app).commands)  # type: ignore[attr-defined]


def completed(typed: str, place: Path, *, shell: str = "bash") -> list[str]:
    words = typed.split(" ")
    environment = {
        **os.environ,
        "_SWEEPS_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "SWEEPS_STORAGE": str(place),
    }
    command = [sys.executable, "-m", "sweeps"]
    done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_completes_commands_sweeps_specs_and_files(sweep: SweepStorage, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine")
    assert completed("sweeps stat", tmp_path) == ["status"]
    assert completed("sweeps status ", tmp_path) == ["quickstart"]
    assert completed("sweeps run k-tr", tmp_path) == ["k-tradeoff"]
    assert completed("sweeps run mi", tmp_path) == ["mine.yaml"]
    assert completed("sweeps status x", tmp_path / "quickstart") == []


def test_what_takes_long_is_said_in_a_pipe_and_what_does_not_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "SILENT_SECONDS", 0.05)
    shown = io.StringIO()
    with Terminal(Console(file=shown)).waiting("starting Ray"):
        pass
    time.sleep(0.1)
    assert shown.getvalue() == ""
    with Terminal(Console(file=shown)).waiting("starting Ray"):
        while not shown.getvalue().endswith("\n"):
            time.sleep(0.01)
    say(Console(file=shown), "done")
    assert shown.getvalue() == "starting Ray\ndone\n"


def test_a_bucket_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *more: Any) -> Any:
        return None if name == "boto3" else find_spec(name, *more)

    monkeypatch.setattr("tracking.files.bucket.find_spec", absent)
    with pytest.raises(RecordError, match=r"needs boto3: pip install 'iwae-sweeps\[s3\]'$"):
        open_storage("s3://bucket/prefix")
