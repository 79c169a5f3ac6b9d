import ipaddress
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.service


def test_a_local_sweep_listens_on_loopback_alone_and_leaves_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = Workplace(tmp_path)
    process = place.start("run", place.spec, "--set", "base.num_epochs=100000")
    try:
        deadline = time.monotonic() + 900
        listening: dict[str, str] = {}
        # Raylet, head service, agents and the driver have more than these; workers come later.
        while not any("ray::" in name and "Agent" not in name for name in listening.values()):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, listening
            time.sleep(0.5)
            listening |= addresses(process.pid)
        assert len(listening) >= 5
        assert {name for address, name in listening.items() if not is_loopback(address)} == set()
        raylet = next(p for p in psutil.Process(process.pid).children(recursive=True) if p.name() == "raylet")
        token = raylet.environ()["RAY_AUTH_TOKEN"]
        assert len(token) == 64
        lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
        assert not any(token in line for line in lines)
        assert not (tmp_path / "home" / ".ray").exists()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=900)


def test_sigterm_stays_the_commands_own_beside_ray(tmp_path: Path) -> None:
    """Between a sweep's trials and its report nobody else takes care of it; Ray would exit with 15."""
    code = (
        "import os, signal, time\n"
        "from sweeps.execution.display import NoDisplay\nfrom sweeps.machines.local_ray import ray_cluster\n"
        "from sweeps.spec.spec import load_spec\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "try:\n"
        "    with ray_cluster(load_spec('quickstart'), None, NoDisplay()):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


@pytest.mark.parametrize(("failures", "code"), [(1, 0), (2, 1)])
def test_a_ray_that_did_not_start_in_time_is_started_once_more(
    tmp_path: Path, failures: int, code: int
) -> None:
    program = (
        "import ray, sys\n"
        "started, left = ray.init, [1] * int(sys.argv.pop(1))\n"
        "def init(**options):\n"
        "    if left:\n"
        "        left.pop()\n"
        "        raise Exception('The current node timed out during startup.')\n"
        "    return started(**options)\n"
        "ray.init = init\n"
        "from sweeps.cli.entry import main\n"
        "main()\n"
    )
    place = Workplace(tmp_path)
    command = [sys.executable, "-c", program, str(failures), "run", str(place.spec)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("The current node timed out during startup.; trying once more") == 1
    assert ("error: Ray did not start: The current node timed out" in done.stderr) == bool(code)


def addresses(pid: int) -> dict[str, str]:
    """Every address that a process and its children listen on, and whose it is."""
    found = {}
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found[f"{connection.laddr.ip} {connection.laddr.port}"] = " ".join(process.cmdline())[:80]
        except psutil.NoSuchProcess:
            continue
    return found


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.split()[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
