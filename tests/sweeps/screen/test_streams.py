"""Output never ends the work: dead readers, full disks, closed streams, poor encodings, closed terminals."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from support.workplace import Workplace
from sweeps.process import streams


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command line in which `sweeps` stands for the program."""
    return subprocess.run(
        ["bash", "-c", f'sweeps() {{ "{sys.executable}" -m sweeps "$@"; }}; {command}'],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def stream_to(descriptor: int) -> io.TextIOWrapper:
    stream = streams._stream(descriptor, None)
    assert isinstance(stream, io.TextIOWrapper)
    return stream


def test_a_stream_without_a_reader_takes_everything() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    console = Console(file=stream_to(writer))
    for _ in range(20):
        console.print("epoch" * 100)
    os.close(writer)


def test_a_full_disk_takes_everything_and_is_remembered() -> None:
    with Path("/dev/full").open("w") as full:
        stream = stream_to(full.fileno())
        stream.write("epoch\n" * 10_000)
        stream.flush()
        assert stream.buffer.raw.refusal.errno == errno.ENOSPC  # type: ignore[attr-defined]


def test_what_comes_after_a_refusal_is_written(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream = stream_to(writer)
    kept = os.dup(writer)
    with Path("/dev/full").open("w") as full:
        os.dup2(full.fileno(), writer)
        stream.write("lost\n")
    os.dup2(kept, writer)
    stream.write("kept\n")
    assert os.read(reader, 100) == b"kept\n"


def test_a_pipe_that_does_not_wait_loses_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text, read = "x" * 1_000_000 + "\n", bytearray()

    def drain() -> None:
        while len(read) < len(text):
            read.extend(os.read(reader, 65536))

    thread = threading.Thread(target=drain)
    thread.start()
    stream_to(writer).write(text)
    thread.join()
    assert read == text.encode()


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("sweeps specs >/dev/full", 1, "error: standard output: No space left on device: the result could"),
        ("sweeps schema | head -c 1; exit ${PIPESTATUS[0]}", 0, ""),
        ("sweeps specs >&-", 0, ""),
        ("sweeps specs 0>&- 1>&- 2>&-", 0, ""),
        ("sweeps status nothing 2>/dev/full", 2, ""),
        ("sweeps status nothing 2>&-", 2, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_no_traceback(command: str, code: int, said: str) -> None:
    done = shell(command)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == (1 if said else 0)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "strict", "C"],
)
def test_characters_that_an_encoding_lacks_are_escaped(environment: dict[str, str]) -> None:
    done = shell("sweeps plan quickstart --no-probe && sweeps --help && sweeps run 'Σ'", **environment)
    assert done.returncode == 2
    assert "= 24 trials" in done.stdout
    assert done.stderr.startswith("error: \\")


@pytest.mark.service
def test_a_sweep_whose_terminal_is_closed_stops_in_order(tmp_path: Path) -> None:
    """The reader of standard error dies, and SIGHUP comes to every process that the sweep started."""
    place = Workplace(tmp_path)
    command = [sys.executable, "-m", "sweeps", "run", place.spec, "--json", "--set", "base.num_epochs=5000"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Tests that run in the background of a closed terminal are deaf to it, and so would this process be.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stderr is not None
    process.stderr.close()
    while not place.files("trials/*/checkpoint-*.zip"):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGHUP)
    out, _ = process.communicate()
    assert process.returncode == 130
    values = json.loads(out)
    assert set(values["trials"]) <= {"COMPLETE", "STOPPED", "WAITING"}
    assert values["parent_run_id"] is not None
    assert place.files("report/index.html")
    assert place.json("verify", "small") == {"ok": True, "faults": []}


def test_nohup_stays_deaf_to_a_closed_terminal() -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from sweeps.process import signals; signals.end_in_order(); os.kill(os.getpid(), signal.SIGHUP)\n"
        "with signals.asking(lambda name: os._exit(1)): os.kill(os.getpid(), signal.SIGHUP)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
