"""Where the numbers come from: machine, versions, code, data, people, places."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tracking.addresses import secrets
from tracking.records.records import SweepRecord
from tracking.report.links import Links
from tracking.statistics.numbers import listing, plural

MOST = 4  # of machines, versions and the like


def origin(record: SweepRecord, links: Links | None) -> list[tuple[str, str]]:
    """Each thing that is known, with its name; what an older record does not have is left out."""
    environments = [
        attempt.provenance
        for trial in record.trials
        for attempt in trial.attempts
        if attempt is not None and attempt.provenance
    ]
    known = [
        ("trials", _trials(record)),
        ("run by", _people(record)),
        ("when", _when(record)),
        ("hardware", listing(_distinct(map(_machine, environments)), MOST)),
        ("versions", _versions(record, environments)),
        ("code", _code(record)),
        ("data", _data(record)),
        ("storage", secrets.address(record.storage)),
        ("tracking", "" if links is None else links.store),
        ("command", listing(_distinct(session.command or "" for session in record.sessions), MOST)),
    ]
    return [(name, words) for name, words in known if words]


def _distinct(words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word]


def _trials(record: SweepRecord) -> str:
    counts = listing([f"{count:,} {state.lower()}" for state, count in record.counts.items()])
    hours = [f"{record.cpu_hours:.2f} CPU-hours"] if record.cpu_hours else []
    hours += [f"{record.gpu_hours:.2f} GPU-hours"] if record.gpu_hours else []
    return ", ".join([f"{plural(len(record.trials), 'trial')}: {counts}" if counts else "none", *hours])


def _people(record: SweepRecord) -> str:
    coded = record.code.get("user")
    found = _distinct(
        f"{session.user or coded or ''} on {session.hostname}".strip() for session in record.sessions
    )
    return listing(found, MOST)


def _when(record: SweepRecord) -> str:
    moments = [session.started for session in record.sessions]
    moments += [session.ended or session.heartbeat for session in record.sessions]
    if not moments:
        return ""
    start, end = (datetime.fromtimestamp(at, UTC) for at in (min(moments), max(moments)))
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {until} UTC"


def _machine(values: Any) -> str:
    if values.get("gpu"):
        return f"{values['gpu']} (driver {values.get('driver') or 'unknown'})"
    threads = values.get("threads")
    words = f"{values.get('cpu') or 'unknown CPU'}, {plural(int(values.get('cores') or 0), 'core')}"
    return f"{words}, {plural(int(threads), 'thread')} per trial" if threads else words


def _versions(record: SweepRecord, environments: Sequence[Any]) -> str:
    packages = record.code.get("packages") or {}
    found = [("iwae-sweeps", [record.code.get("package_version")])]
    found += [
        (name, [values.get(key) for values in environments])
        for name, key in (("Python", "python"), ("PyTorch", "torch"), ("CUDA", "cuda"), ("NumPy", "numpy"))
    ]
    found += [(name, [packages.get(key)]) for name, key in (("Ray", "ray"), ("MLflow", "mlflow"))]
    named = [(name, _distinct(str(one) for one in versions if one)) for name, versions in found]
    return ", ".join(f"{name} {' and '.join(versions)}" for name, versions in named if versions)


def _code(record: SweepRecord) -> str:
    commit, sources = record.code.get("commit"), record.code.get("sources") or {}
    words = []
    if commit:
        changed = " with uncommitted changes" if record.code.get("dirty") else ""
        words.append(f"git commit {commit}{changed}")
    if sources.get("sha256"):
        words.append(f"sources SHA-256 {sources['sha256']}")
    return ", ".join(words)


def _data(record: SweepRecord) -> str:
    return "; ".join(
        f"{one.config.name}, {one.sizes.get('validation', 0):,} validation and {one.sizes.get('test', 0):,}"
        f" test images, SHA-256 {one.sha256}; of validation and test alone {one.measured_sha256}"
        for one in record.data
    )
