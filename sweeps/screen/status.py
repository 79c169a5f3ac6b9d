"""What the commands print of plans and sweeps under way: `plan`, `specs`, `status`, `list`."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sweeps.pace.seconds import duration
from sweeps.screen.say import say
from tracking.records.comparable.score import SCORES

if TYPE_CHECKING:
    pass

SHOWN_TRIALS = 40


# Status and list


def show_status(values: Mapping[str, Any], console: Console) -> None:
    """`status` for people."""
    if (job := values["job"]) is not None:
        said = f": {job['message']}" if job["message"] else ""
        say(console, f"job {job['submission_id']}: {job['status']}{said}")
    if not values["trials"]:
        say(console, f"{values['name']}: no trial yet")
        return
    counts = ", ".join(f"{number} {state}" for state, number in values["trials"].items())
    state = "running" if values["live"] else "not running"
    if values["stopping"]:
        state = f"stopping ({values['stopping']})"
    say(console, f"{values['name']}: {state}; {counts}; {duration(values['seconds'])} so far")
    _show_unread(values, console)
    if "cpu_hours" in values:
        gpus = f", {values['gpu_hours']:.2f} GPU-hours" if values["gpu_hours"] else ""
        say(console, f"  its trials held {values['cpu_hours']:.2f} CPU-hours{gpus}")
    for row in values["running"]:
        if {"phase", "epoch", "num_epochs", "fraction"} <= row.keys():
            doing = f"{row['phase']}, epoch {row['epoch']} of {row['num_epochs']}, {row['fraction']:.0%}"
            say(console, f"  {row['name']}: {doing}")
    for row in values["failed"]:
        say(console, f"  failed: {row['name']}: {row['error']}")
    if values["best_trial"] is not None:
        best = values["best_trial"]
        score = next(score for score in SCORES if score.final in best)
        value = score.precise(best[score.final])
        say(console, f"  lowest final val {score.name} of a single run: {value} ({best['name']})")
    waiting = sum(n for s, n in values["trials"].items() if s in ("WAITING", "RUNNING", "STOPPED"))
    if values["live"] and values["seconds_left"] is not None:
        say(console, f"  about {duration(values['seconds_left'])} left")
    elif waiting:
        say(console, f"  {waiting} trials are not finished; go on with: sweeps resume {values['name']}")
    say(console, f"  browse: sweeps ui {values['name']}")


def show_sweeps(rows: list[dict[str, Any]], console: Console) -> None:
    """`list` for people."""
    if not rows:
        say(console, "no sweeps here yet: try `sweeps run quickstart`")
        return
    table = Table(box=None, pad_edge=False)
    with_jobs = any("job" in row for row in rows)
    headings = {"val NLL": "right", "K": "right", "hours": "right"}
    for heading in ("sweep", "started", "by", "trials", *headings, *(["job"] if with_jobs else [])):
        table.add_column(heading, no_wrap=True, justify="right" if heading in headings else "left")
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started"])) if row["started"] else ""
        job = row.get("job")
        jobs = [f"{job['submission_id']} {job['status']}" if job else ""] if with_jobs else []
        nll, num_samples = row["best_val_nll_final"], row["best_num_samples"]
        best = ["", ""] if nll is None else [f"{nll:.2f}", str(num_samples)]
        table.add_row(row["name"], when, row["user"] or "", _counts(row), *best, _hours(row), *jobs)
    console.print(table)
    for row in rows:
        if row["error"]:
            say(console, f"{row['name']}: {row['error']}")
        elif row["parent_run_id"] is None:
            say(console, f"{row['name']}: not recorded in this tracking store")
        _show_unread(row, console)


def _counts(row: Mapping[str, Any]) -> str:
    """How many trials are complete, and what the others are."""
    if row["error"]:
        return "cannot be read"
    done, total = row["trials"].get("COMPLETE", 0), sum(row["trials"].values())
    others = {state: number for state, number in row["trials"].items() if state != "COMPLETE"}
    more = ", ".join(f"{number} {state}" for state, number in others.items())
    counts = f"{total} COMPLETE" if done == total else f"{done} of {total}" + (f": {more}" if more else "")
    return ("" if not total else counts) + (" (running)" if row["live"] else "")


def _hours(row: Mapping[str, Any]) -> str:
    """GPU-hours where it held GPUs, else CPU-hours."""
    if row["gpu_hours"]:
        return f"{row['gpu_hours']:.2f} GPU"
    return f"{row['cpu_hours']:.2f} CPU" if row["cpu_hours"] is not None else ""


def _show_unread(values: Mapping[str, Any], console: Console) -> None:
    for name in values.get("unread", ()):
        say(console, f"{values['name']}: {name} is torn or altered: see `sweeps verify {values['name']}`")
