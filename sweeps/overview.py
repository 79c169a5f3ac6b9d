"""What the commands print of plans and sweeps under way: `plan`, `specs`, `status`, `list`."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from iwae.errors import SweepError
from sweeps.cost import Cost, cost_of, seconds_per_flop
from sweeps.display import duration
from sweeps.output import say
from tracking.files import Files
from tracking.places import same_place
from tracking.records import PlannedTrial, SweepRecord, TrialState
from tracking.sessions import live_session
from tracking.storage import SweepStorage, sweeps_in

if TYPE_CHECKING:
    from sweeps.spec import SweepSpec
    from tracking.store import RunStore

SHOWN_TRIALS = 40


def plan_json(spec: "SweepSpec", trials: list[PlannedTrial]) -> dict[str, Any]:
    """`plan` as the design's JSON object."""
    return {
        "name": spec.name,
        "num_trials": _num_trials(spec, trials),
        "trials": [{"key": trial.key, "overrides": dict(trial.overrides)} for trial in trials],
    }


def _num_trials(spec: "SweepSpec", trials: list[PlannedTrial]) -> int:
    return (spec.search.num_trials or 0) * len(spec.search.seeds) if spec.is_model_based else len(trials)


def show_plan(spec: "SweepSpec", trials: list[PlannedTrial], files: Files, console: Console) -> None:
    """The trials of a spec, and their cost as far as it is known."""
    configurations = len({trial.configuration_key for trial in trials})
    if spec.is_model_based:
        say(
            console,
            f"{spec.name}: {spec.search.num_trials} configurations × {len(spec.search.seeds)} seeds,"
            f" suggested by {spec.search.sampler.name} as results come in",
        )
        return
    seeds = len(spec.search.seeds)
    say(
        console,
        f"{spec.name}: {configurations} configurations × {seeds} seeds = {len(trials)} trials",
    )
    rate = seconds_per_flop(files, spec)
    table = Table(box=None, pad_edge=False)
    for heading in ("#", "trial", "key"):
        table.add_column(heading, no_wrap=True)
    for heading in ("training", "evaluation", "one thread's time" if rate else ""):
        table.add_column(heading, justify="right", no_wrap=True)
    costs = [cost_of(trial.config) for trial in trials]
    for trial, cost in list(zip(trials, costs, strict=True))[:SHOWN_TRIALS]:
        table.add_row(
            str(trial.index), trial.name, trial.key[:12], _flops(cost.training), _flops(cost.evaluation),
            duration(cost.total * rate) if rate else "",
        )  # fmt: skip
    console.print(table)
    if len(trials) > SHOWN_TRIALS:
        say(console, f"… and {len(trials) - SHOWN_TRIALS} more (--json lists all)")
    _show_total(costs, rate, console)


def _show_total(costs: list[Cost], rate: float | None, console: Console) -> None:
    total = sum(cost.total for cost in costs)
    share = sum(cost.evaluation for cost in costs) / total if total else 0.0
    known = (
        f"about {duration(total * rate)} of one thread, from the trials in storage"
        if rate
        else "seconds are known once a trial of this data set has run here"
    )
    say(console, f"in all {_flops(total)}, {share:.0%} of it evaluation; {known}")


def _flops(value: float) -> str:
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e6:.3g} MFLOP"


def show_specs(specs: Mapping[str, str], console: Console) -> None:
    """The ready specs, a line each."""
    for name, description in specs.items():
        say(console, f"{name:16} {description}")


# Status and list


def status_json(storage: SweepStorage) -> dict[str, Any]:
    """Where a sweep stands: states, running trials, best so far, times in seconds."""
    record = storage.record()
    session = live_session(storage)
    running = []
    for trial in record.trials:
        if trial.state is TrialState.RUNNING and session is not None:
            progress = storage.progress(trial.key) or {}
            running.append({"trial_key": trial.key, "name": trial.plan.name, **progress})
    elapsed = sum((s["ended"] or s["heartbeat"]) - s["started"] for s in record.sessions)
    complete = sorted(record.complete, key=lambda t: (t.final or {})["val/nll_final"])
    best = None
    if complete:
        best = {"trial_key": complete[0].key, "name": complete[0].plan.name, **(complete[0].final or {})}
    return {
        "name": record.name,
        "storage": record.storage,
        "spec": storage.spec(),
        "live": session is not None,
        "unread": storage.unread_sessions(),
        "stopping": storage.stop_requested() if session is not None else None,
        "trials": record.counts,
        "running": running,
        "best_trial": best,
        "seconds": elapsed,
        "seconds_left": _seconds_left(record, elapsed, storage),
        "cpu_hours": record.cpu_hours,
        "gpu_hours": record.gpu_hours,
        "train_seconds": sum(trial.train_seconds for trial in record.trials),
        "failed": [
            {"trial_key": t.key, "name": t.plan.name, "error": t.cause}
            for t in record.trials
            if t.state is TrialState.FAILED
        ],
    }


def _seconds_left(record: SweepRecord, elapsed: float, storage: SweepStorage) -> float | None:
    total = done = 0.0
    for trial in record.trials:
        cost = cost_of(trial.config).total
        progress = storage.progress(trial.key) if trial.state is TrialState.RUNNING else None
        share = 1.0 if trial.state.ended else progress.get("fraction", 0.0) if progress else 0.0
        total += cost
        done += share * cost
    return None if done == 0 else elapsed * (total - done) / done


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
        say(console, f"  lowest final val NLL of a single run: {best['val/nll_final']:.3f} ({best['name']})")
    waiting = sum(n for s, n in values["trials"].items() if s in ("WAITING", "RUNNING", "STOPPED"))
    if values["live"] and values["seconds_left"] is not None:
        say(console, f"  about {duration(values['seconds_left'])} left")
    elif waiting:
        say(console, f"  {waiting} trials are not finished; go on with: sweeps resume {values['name']}")


def sweeps_json(files: Files, store: "RunStore | None") -> list[dict[str, Any]]:
    """Every sweep in storage and in the tracking store; one that cannot be read has an ``error``."""
    rows = [_row(files, name) for name in sweeps_in(files)]
    here = {row["name"]: row for row in rows}
    for sweep in store.list_sweeps() if store is not None else []:
        row = here.get(sweep["name"])
        if row is None or not same_place(sweep["storage"] or files.uri, files.uri):
            row = _empty_row(sweep["name"], sweep["storage"]) | {"started": sweep["started"]}
            rows.append(row)
        row["parent_run_id"] = sweep["run_id"]
    return rows


def _row(files: Files, name: str) -> dict[str, Any]:
    storage, row = SweepStorage(files, name), _empty_row(name, files.uri)
    try:
        record = storage.record()
        started = min((session["started"] for session in record.sessions), default=None)
        live, unread = live_session(storage) is not None, storage.unread_sessions()
    except SweepError as error:
        return {**row, "error": str(error)}
    return {**row, "started": started, "live": live, "trials": record.counts, "unread": unread}


def _empty_row(name: str, storage: str) -> dict[str, Any]:
    return {
        "name": name, "storage": storage, "started": None, "live": False, "trials": {}, "parent_run_id": None,
        "error": None, "unread": [],
    }  # fmt: skip


def show_sweeps(rows: list[dict[str, Any]], console: Console) -> None:
    """`list` for people."""
    if not rows:
        say(console, "no sweeps here yet: try `sweeps run quickstart`")
        return
    table = Table(box=None, pad_edge=False)
    with_jobs = any("job" in row for row in rows)
    for heading in ("sweep", "started", "trials", "parent run", *(["job"] if with_jobs else [])):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started"])) if row["started"] else ""
        counts = ", ".join(f"{number} {state}" for state, number in row["trials"].items())
        live = " (running)" if row["live"] else ""
        job = row.get("job")
        jobs = [f"{job['submission_id']} {job['status']}" if job else ""] if with_jobs else []
        counts = "cannot be read" if row["error"] else counts + live
        table.add_row(row["name"], when, counts, row["parent_run_id"] or "not recorded", *jobs)
    console.print(table)
    for row in rows:
        if row["error"]:
            say(console, f"{row['name']}: {row['error']}")
        _show_unread(row, console)


def _show_unread(values: Mapping[str, Any], console: Console) -> None:
    for name in values.get("unread", ()):
        say(console, f"{values['name']}: {name} is torn or altered: see `sweeps verify {values['name']}`")
