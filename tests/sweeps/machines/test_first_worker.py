import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.servers.ray_cluster import RayCluster
from support.workplace import Workplace
from sweeps.machines import first_worker
from sweeps.machines.first_worker import all_ended, last_words

BREAKS_WORKERS = (
    "import sys\n"
    "if any(word.endswith('default_worker.py') for word in sys.orig_argv):\n"
    "    raise SystemExit('no worker here')\n"
)


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def log(folder: Path, *pids: int) -> None:
    lines = [
        f"(raylet) worker_pool.cc:564: Started worker process with pid {pid} worker_id=a\n" for pid in pids
    ]
    (folder / "raylet.out").write_text("".join(lines))


def test_workers_that_ended_are_told_from_one_that_runs(tmp_path: Path) -> None:
    assert not all_ended(tmp_path)  # none was started so far
    log(tmp_path, ended_process(), os.getpid())
    assert not all_ended(tmp_path)
    log(tmp_path, ended_process(), ended_process())
    assert all_ended(tmp_path)


def test_a_worker_that_ended_and_was_not_waited_for_has_ended(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    log(tmp_path, process.pid)
    assert all_ended(tmp_path)
    process.wait()


def test_the_last_words_of_a_worker_are_its_last_line(tmp_path: Path) -> None:
    assert last_words(tmp_path) == f"see {tmp_path}"
    (tmp_path / "raylet.err").write_text("Traceback:\n  File x\nImportError: no libtorch\n\n")
    assert last_words(tmp_path) == f"ImportError: no libtorch (see {tmp_path / 'raylet.err'})"


@pytest.mark.service
def test_a_machine_that_starts_no_worker_ends_the_sweep_with_the_workers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray alone would start it again and again, without a word."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(BREAKS_WORKERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    place = Workplace(tmp_path)
    done = place.sweeps("run", place.spec, code=1)
    said = "error: Ray cannot start a worker on this machine: SystemExit: no worker here (see "
    assert said in done.stderr
    assert not (tmp_path / "sweeps-storage").exists()


@pytest.mark.service
def test_a_cluster_that_starts_no_worker_ends_the_sweep(tmp_path: Path) -> None:
    cluster = RayCluster(tmp_path / "ray", (1,), RAY_prestart_worker_first_driver="0")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(BREAKS_WORKERS)
    cluster.environment["PYTHONPATH"] = str(tmp_path / "path")
    (tmp_path / "user").mkdir()
    place = Workplace(tmp_path / "user")
    code = (
        "import sys\nfrom sweeps.machines import first_worker\nfirst_worker.MOST_SECONDS = 20.0\n"
        f"sys.argv = ['sweeps', 'run', '{place.spec}', '--address', '{cluster.address}']\n"
        "from sweeps.cli.entry import main\nmain()\n"
    )
    try:
        cluster.start()
        environment = {**cluster.environment, "RAY_prestart_worker_first_driver": "0"}
        environment.pop("PYTHONPATH")
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=place.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
    finally:
        cluster.stop()
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: the Ray cluster started no worker in 20 s")


def test_a_cluster_that_keeps_a_driver_waiting_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with first_worker.told_if_silent():
        pass
    assert caplog.messages == []
    monkeypatch.setattr(first_worker, "SILENT_SECONDS", 0.01)
    with first_worker.told_if_silent():
        while not caplog.messages:
            time.sleep(0.01)
    (line,) = caplog.messages
    assert "it may be unable to start a worker" in line
