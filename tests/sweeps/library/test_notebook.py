"""A real notebook kernel: what its cells show while a sweep runs, and how an interrupt ends one."""

import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from support.workplace import SPEC

pytestmark = pytest.mark.service

RUN = f"""
import yaml, sweeps
sweep = sweeps.run(yaml.safe_load('''{SPEC}'''), set={{"search.seeds": [0]}})
sweep
"""
INTERRUPTED = f"""
import os, signal, threading, time, yaml, sweeps
def interrupt():
    while not any(path.name == "progress.json" for path in pathlib.Path("sweeps-storage").rglob("*")):
        time.sleep(.1)
    os.kill(os.getpid(), signal.SIGINT)  # as the button does
import pathlib
threading.Thread(target=interrupt, daemon=True).start()
try:
    sweeps.run(yaml.safe_load('''{SPEC}'''), set={{"base.num_epochs": 100000}})
except KeyboardInterrupt as stopped:
    print(type(stopped).__name__, stopped.sweep.status()["live"], stopped.sweep.result.outcome)
"""


def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *cells: str) -> list[list[dict[str, Any]]]:
    for name in ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        book, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    return [cell["outputs"] for cell in book["cells"]]


def html(cell: list[dict[str, Any]]) -> list[str]:
    return [out["data"]["text/html"] for out in cell if "text/html" in out.get("data", {})]


def text(cell: list[dict[str, Any]]) -> str:
    return "".join(out["text"] for out in cell if out["output_type"] == "stream")


def test_table_sweep_and_report_show_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, table, report = outputs(tmp_path, monkeypatch, RUN, "sweep.table()", "sweep.report()")
    progress, value = html(ran)  # one output that was replaced, and the cell's value
    assert progress.count("COMPLETE") >= 2
    assert "K=5 D=2 s0" in progress
    assert "2 COMPLETE" in value
    assert "sweep small: 2 trials" in text(ran)
    assert "val/nll_final" in html(table)[0]
    (page,) = html(report)
    assert "<iframe srcdoc=" in page
    assert "class=&quot;answer&quot;" in page


def test_an_interrupt_stops_a_sweep_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.time()
    (ended,) = outputs(tmp_path, monkeypatch, INTERRUPTED)
    assert "Interrupted False interrupted" in text(ended), ended
    assert list((tmp_path / "sweeps-storage").rglob("checkpoint-*.zip"))
    assert all(path.stat().st_mtime > began for path in (tmp_path / "sweeps-storage").rglob("outcome.json"))
