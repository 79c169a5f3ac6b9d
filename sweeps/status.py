"""How far a sweep is, and which sweeps there are: plain data."""

import json
import math
import time
from typing import TYPE_CHECKING, Any

from iwae.errors import SweepError
from sweeps.plan.forecast import Forecast
from sweeps.plan.probes import known_forecast
from sweeps.plan.time_left import Mark, time_left
from sweeps.spec.resources import Resources
from tracking.files.files import Files
from tracking.files.places import same_place
from tracking.records.comparable.score import SCORES, score_of
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.records.shapes import SessionEntry
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in

if TYPE_CHECKING:
    from tracking.store import RunStore


def status_json(storage: SweepStorage) -> dict[str, Any]:
    """Where a sweep stands: states, running trials, best so far, times in seconds."""
    record = storage.record()
    session = live_session(storage)
    running = []
    for trial in record.trials:
        if trial.state is TrialState.RUNNING and session is not None:
            progress = storage.trial(trial.key).progress()
            far = {} if progress is None else progress.to_dict()
            running.append({"trial_key": trial.key, "name": trial.plan.name, **far})
    elapsed = sum((s.ended or s.heartbeat) - s.started for s in record.sessions)
    first = min(record.complete, key=_rank, default=None)
    best = None
    if first is not None:
        best = {"trial_key": first.key, "name": first.plan.name, **(first.final or {})}
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
        "seconds_left": _seconds_left(record, session, elapsed, storage),
        "cpu_hours": record.cpu_hours,
        "gpu_hours": record.gpu_hours,
        "train_seconds": sum(trial.train_seconds for trial in record.trials),
        "failed": [
            {"trial_key": t.key, "name": t.plan.name, "error": t.cause}
            for t in record.trials
            if t.state is TrialState.FAILED
        ],
    }


def _rank(trial: TrialRecord) -> tuple[int, float]:
    """By likelihood, and behind those that have one by reconstruction error."""
    score = score_of(trial.config)
    return SCORES.index(score), (trial.final or {})[score.final]


def _seconds_left(
    record: SweepRecord, session: SessionEntry | None, elapsed: float, storage: SweepStorage
) -> float | None:
    """Seconds that the driver at work still needs; without one, that a next one needs at the pace so far."""
    resources = Resources.model_validate(record.spec.get("resources", {}))
    forecast = known_forecast((trial.config for trial in record.trials), resources, record.probes)
    total = sum(forecast.of(trial.config).total for trial in record.trials)
    if session is None:
        # As if all its sessions had been one.
        whole = _mark(record, forecast, math.inf)
        return time_left([Mark(0.0, 0.0, 0), Mark(elapsed, whole.done, whole.ended)], total)
    starts = [one.started for trial in record.trials for one in trial.attempts if one is not None]
    first, now = min((at for at in starts if at >= session.started), default=None), time.time()
    if first is None:
        return None
    middle = first + (now - first) / 2
    marks = [_mark(record, forecast, when) for when in (first, middle)]
    return time_left([*marks, _mark(record, forecast, now, storage)], total)


def _mark(record: SweepRecord, forecast: Forecast, when: float, storage: SweepStorage | None = None) -> Mark:
    """How far a sweep was at a time; with storage, its running trials are asked how far they are now."""
    done, ended = 0.0, 0
    for trial in record.trials:
        over = trial.state.ended and (trial.ended or 0.0) <= when
        share = sum(epoch.time <= when for epoch in trial.history) / trial.config.num_epochs
        if storage is not None and trial.state is TrialState.RUNNING:
            progress = storage.trial(trial.key).progress()
            share = share if progress is None else max(share, progress.fraction)
        done += forecast.of(trial.config).done(share, ended=over)
        ended += over
    return Mark(when, done, ended)


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
        started = min((session.started for session in record.sessions), default=None)
        live, unread = live_session(storage) is not None, storage.unread_sessions()
    except SweepError as error:
        return {**row, "error": str(error)}
    users = [session.user for session in record.sessions if session.user]
    return {
        **row,
        **_reported_best(storage),
        "started": started,
        "user": users[0] if users else None,
        "live": live,
        "trials": record.counts,
        "cpu_hours": record.cpu_hours,
        "gpu_hours": record.gpu_hours,
        "unread": unread,
    }


def _reported_best(storage: SweepStorage) -> dict[str, Any]:
    """The best configuration as the newest report has it: to find it again loads what takes a second."""
    try:
        report = json.loads(storage.files.read(storage.path("report", "tradeoff.json")))
        group = report["groups"][0]
        best, rows = group["best"], group["configurations"]
        num_samples = next(row["num_samples"] for row in rows if row["key"] == best["configuration"])
        return {"best_val_nll_final": best["val_nll_final"], "best_num_samples": num_samples}
    except (FileNotFoundError, ValueError, LookupError, TypeError, StopIteration):
        return {}  # no report yet, or an older or torn one


def _empty_row(name: str, storage: str) -> dict[str, Any]:
    return {
        "name": name,
        "storage": storage,
        "started": None,
        "live": False,
        "trials": {},
        "best_val_nll_final": None,
        "best_num_samples": None,
        "cpu_hours": None,
        "gpu_hours": None,
        "user": None,
        "parent_run_id": None,
        "error": None,
        "unread": [],
    }
