"""The library as scripts use it: each in a process and a folder of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text("utf-8")


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE")}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.service
def test_a_script_does_all_that_the_library_offers(tmp_path: Path) -> None:
    done = python(str(Path(__file__).with_name("everything.py")), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""
    assert "sweep small: 2 trials" in done.stderr


@pytest.mark.service
def test_the_readmes_lines_run_as_they_stand(tmp_path: Path) -> None:
    section = README.split("## As a library, in a notebook", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "example.py").write_text(blocks[0])
    done = python("example.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BITWISE" in done.stdout


def test_importing_the_library_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, sweeps\n"
        "print(sorted({'torch', 'ray', 'mlflow', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)))\n"
        "from sweeps import run, open, submit, draw_plan, Sweep\n"
        "print(sorted({'torch', 'ray', 'mlflow', 'pandas'} & set(sys.modules)))\n"
        "print(sorted(sweeps.__all__))\n"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "[]",
        "[]",
        "['Interrupted', 'Sweep', 'compare', 'draw_plan', 'export', 'import_data', 'open',"
        " 'open_bundle', 'open_run', 'run', 'submit']",
    ], done.stderr
