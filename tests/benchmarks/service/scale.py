"""How the service grows: `python tests/benchmarks/service/scale.py [--trials 1000] [--figures] [--postgres]`.

Three sweeps of real short trials, of a tenth, half and all of the trials, each by `sweeps run --address` on
two raylets, recorded by an MLflow server: trials a minute, the driver's memory, how far MLflow is behind
storage, and what `status`, `report`, `list` and `verify` take, as a user runs them. Nothing may grow faster
than the number of trials.
"""

import argparse
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from scale_servers import mlflow_server, postgres, two_raylets

from iwae.config import yaml
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec

LOOK_SECONDS = 0.5
ARRIVED = (
    "SELECT k.value FROM tags k JOIN tags s ON k.run_uuid = s.run_uuid JOIN tags n ON k.run_uuid = n.run_uuid"
    " WHERE k.key = 'sweeps.trial_key' AND s.key = 'sweeps.synced' AND s.value LIKE '%-COMPLETE-%'"
    " AND n.key = 'sweeps.name' AND n.value = '{name}'"
)
TRIAL: dict[str, Any] = {
    "data": {"name": "digits", "num_train": 100},
    "model": {"hidden_dims": [8], "latent_dim": 4},
    "num_epochs": 1,
    "evaluation": {
        "num_samples": 2,
        "num_images": 20,
        "final_num_samples": 100,
        "final_num_images": 20,
        "few_num_samples": 2,
        "snr_num_draws": 0,
    },
}
COMMANDS = {
    "status": ["status", "{name}"],
    "report": ["report", "{name}", "--tracking-uri", "{uri}"],
    "list": ["list", "--tracking-uri", "{uri}"],
    "verify": ["verify", "{name}", "--tracking-uri", "{uri}"],
}
SLACK = 1.5  # how much more a trial may cost in a larger sweep: the machine is shared
Query = Callable[[str], list[str]]


@dataclass
class Measured:
    """One sweep; `memory` is (trials done, RSS, USS), `lags` and `seconds` in seconds."""

    number: int
    a_minute: float = 0.0
    memory: list[tuple[int, float, float]] = field(default_factory=list)
    cpu: float = 0.0
    run_seconds: float = 0.0
    lags: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    page: float = 0.0

    def memory_at(self, done: int) -> tuple[float, float]:
        """RSS and USS when so many trials were done."""
        return next(row[1:] for row in [*self.memory, (done, *self.memory[-1][1:])] if row[0] >= done)


def spec(number: int, figures: bool) -> dict[str, Any]:
    """Five K's, as many learning rates as it takes, four seeds (fewer for very few trials)."""
    seeds = 4 if number >= 20 else 1
    rates = [round(1e-3 * 1.02**index, 8) for index in range(max(1, number // (5 * seeds)))]
    space = {"objective.num_samples": {"grid": [1, 2, 3, 4, 5]}, "optimizer.lr": {"grid": rates}}
    return {
        "name": f"scale-{number}",
        "base": TRIAL,
        "search": {"space": space, "seeds": list(range(seeds))},
        "tracking": {"figures": figures},
    }


def measure(number: int, figures: bool, folder: Path, address: str, uri: str, query: Query) -> Measured:
    """Run one sweep to its end, watch it, then run each command on it."""
    document = spec(number, figures)
    number = len(draw_plan(SweepSpec.parse(document)))
    found = Measured(number)
    path = folder / f"{document['name']}.yaml"
    path.write_text(yaml.dump(document))
    storage = folder / "storage"
    begin = time.monotonic()
    with (folder / f"{document['name']}.log").open("wb") as log:
        command = [
            *_sweeps("run", str(path), "--address", address, "--json"),
            "--storage",
            str(storage),
            "--tracking-uri",
            uri,
        ]
        driver = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            finished = _watch(driver, storage / document["name"], found, query)
        finally:
            if driver.poll() is None:
                driver.kill()
    found.run_seconds = time.monotonic() - begin
    if driver.returncode != 0 or len(finished) != number:
        raise SystemExit(f"{document['name']}: {len(finished)} done\n{Path(log.name).read_text()[-3000:]}")
    began = min(
        json.loads(one.read_text())["started"]
        for one in (storage / document["name"]).glob("trials/*/attempt-0001.json")
    )
    found.a_minute = 60 * number / (max(finished.values()) - began)
    for name, words in COMMANDS.items():
        filled = [word.format(name=document["name"], uri=uri) for word in words]
        found.seconds[name], found.cpu_seconds[name] = _timed(_sweeps(*filled, "--storage", str(storage)))
    found.page = (storage / document["name"] / "report" / "index.html").stat().st_size / 1e6
    return found


def _watch(driver: "subprocess.Popen[bytes]", sweep: Path, found: Measured, query: Query) -> dict[str, float]:
    """Until the driver ends; gives when each trial's last unit was written."""
    watched, finished = psutil.Process(driver.pid), dict[str, float]()
    recorded: dict[str, float] = {}
    while driver.poll() is None:
        for path in sweep.glob("trials/*/final.zip"):
            if path.parent.name not in finished:
                finished[path.parent.name] = path.stat().st_mtime
        now = time.time()
        for key in query(ARRIVED.format(name=sweep.name)):
            recorded.setdefault(key, now)
        try:
            memory, cpu = watched.memory_full_info(), watched.cpu_times()
        except psutil.Error:
            break
        if memory.rss:  # a process that has ended and was not waited for has none
            found.memory.append((len(finished), memory.rss / 1e6, memory.uss / 1e6))
        found.cpu = cpu.user + cpu.system
        time.sleep(LOOK_SECONDS)
    driver.wait()
    for key in query(ARRIVED.format(name=sweep.name)):
        recorded.setdefault(key, time.time())
    found.lags = [recorded[key] - when for key, when in finished.items() if key in recorded]
    return {path.parent.name: path.stat().st_mtime for path in sweep.glob("trials/*/final.zip")}


def _sweeps(*words: str) -> list[str]:
    return [sys.executable, "-m", "sweeps", *words]


def _timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command that must succeed."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(found: list[Measured]) -> Table:
    """The table, with what each row is held to."""
    table = Table("what", *(f"{one.number} trials" for one in found), "a trial, last / first", "limit", "")
    largest = found[-1]

    def row(what: str, values: list[float], limit: float | None = None, grows: bool = True) -> None:
        ratio = (values[-1] / found[-1].number) / max(values[0] / found[0].number, 1e-9)
        fits = (limit is None or values[-1] < limit) and (not grows or ratio <= SLACK)
        verdict = ("ok" if fits else "TOO MUCH") if grows or limit is not None else ""
        shown = f"{ratio:.2f}" if grows else ""
        table.add_row(
            what,
            *(f"{v:.3g}" if v < 100 else f"{v:.0f}" for v in values),
            shown,
            "" if limit is None else f"< {limit:g}",
            verdict,
        )

    sizes = [one.number for one in found]
    row("trials a minute", [one.a_minute for one in found], grows=False)
    row("run, from start to report, s", [one.run_seconds for one in found])
    row("driver RSS in the largest sweep, MB", [largest.memory_at(n)[0] for n in sizes], 2000)
    row("driver USS in the largest sweep, MB", [largest.memory_at(n)[1] for n in sizes])
    row("driver CPU, s", [one.cpu for one in found])
    row("MLflow behind storage, median s", [median(one.lags) for one in found])
    row("MLflow behind storage, largest s", [max(one.lags) for one in found])
    limits = {"status": 2.0, "report": 20.0}
    for name in COMMANDS:
        row(f"sweeps {name}, s", [one.seconds[name] for one in found], limits.get(name))
        row("  of it CPU, s", [one.cpu_seconds[name] for one in found])
    row("report's page, MB", [one.page for one in found])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="100 trials at most")
    parser.add_argument("--figures", action="store_true", help="draw and upload each trial's figures too")
    parser.add_argument("--postgres", action="store_true", help="behind MLflow, in place of SQLite")
    parser.add_argument("--cpus", type=int, default=1, help="of each raylet: trials that run at once")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers are stopped then too
    trials = min(asked.trials, 100) if asked.quick else asked.trials
    os.environ["RAY_AUTH_MODE"] = "disabled"  # a token left in the home folder switches it on
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        database = f"sqlite:///{folder}/mlflow.db"
        if asked.postgres:
            database = stack.enter_context(postgres(folder))
        uri = stack.enter_context(mlflow_server(folder, database))
        address = stack.enter_context(two_raylets(folder, asked.cpus))
        found = []
        for number in (trials // 10, trials // 2, trials):
            found.append(
                measure(number, asked.figures, folder, address, uri, lambda sql: _ask(database, sql))
            )
            Console(width=120).print(show(found))


def _ask(database: str, sql: str) -> list[str]:
    """One column of the tracking database itself: asking the server would slow down what is measured."""
    if database.startswith("sqlite"):
        path = database.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return [row[0] for row in connection.execute(sql)]
    import psycopg2

    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql.replace("%", "%%"))
        return [row[0] for row in cursor.fetchall()]


if __name__ == "__main__":
    main()
