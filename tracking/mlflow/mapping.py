"""What MLflow shall hold of a sweep: tags, parameters, points and files, as pure functions of its record."""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from iwae.config import yaml
from iwae.config.train import TrainConfig
from tracking.mlflow.limits import MAX_PARAM, MAX_TAG, stored
from tracking.records import chain
from tracking.records.collapse import STATEMENT, TAG, collapse
from tracking.records.planned import spec_sha256
from tracking.records.records import EpochRecord, SweepRecord, TrialRecord, TrialState
from tracking.records.source import Unit

STATUS = {
    TrialState.RUNNING: "RUNNING",
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "FINISHED",
    TrialState.STOPPED: "KILLED",
    TrialState.FAILED: "FAILED",
}
_OUTCOME_STATUS = {"finished": "FINISHED", "budget": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
MARKER = "time/train_seconds"  # every epoch has it: where it stands, the whole epoch was logged
SPEC_SHA256 = "sweeps.spec_sha256"
WEIGHTS = "model/model.safetensors"
LIKELIHOODS = "evaluation/likelihoods.npz"
CONFIG = "config.yaml"
ERROR = "error.txt"
MAX_DIGEST_LENGTH = 36  # of a data set, in MLflow
FIGURES = "sweeps.figures"  # the tag with the hashes of a trial's figures
CODE = "provenance/code.json"
VIEWS = "sweeps.synced_views"  # the tag with the hash of the saved views that were written
DECISION_ALTERED = (
    "spec, plan, code or data were altered since run {run} was recorded: restore sweep.zip from a copy, or,"
    " if what it says now is right, delete the tag sweeps.chain of that run"
)
RESULT_ALTERED = (
    "{what} was altered since run {run} was recorded: restore it from a copy, or delete {path}:"
    " `sweeps resume {sweep}` then trains the trial again (if storage is right, delete the tag sweeps.chain"
    " of that run)"
)


class Point(NamedTuple):
    """One value of a metric; ``time`` in milliseconds since 1970."""

    key: str
    step: int
    time: int
    value: float


def milliseconds(seconds: float) -> int:
    """MLflow's unit of time."""
    return round(seconds * 1000)


def sweep_tags(record: SweepRecord) -> dict[str, str]:
    """Tags of the parent run."""
    tags = {
        "sweeps.kind": "sweep",
        "sweeps.name": record.name,
        SPEC_SHA256: spec_sha256(record.spec),
        "sweeps.storage": record.storage,
        **({} if record.decided is None else {chain.TAG: record.decided}),
        "sweeps.trials": str(len(record.trials)),
        **{f"sweeps.trials.{state.value}": str(record.counts.get(state.value, 0)) for state in TrialState},
        **_hours([trial for trial in record.trials if trial.state is not TrialState.RUNNING]),
    }
    return _stored(tags)


def source_tags(record: SweepRecord) -> dict[str, str]:
    """Who ran the sweep, by which command and commit, as MLflow's pages show them; what is known of it."""
    first = record.sessions[0] if record.sessions else None
    program, space, words = ((first and first.command) or "").partition(" ")
    known = {
        "mlflow.user": first and first.user,
        "mlflow.source.name": program.rpartition("/")[2] + space + words,
        "mlflow.source.type": "LOCAL" if program else None,
        "mlflow.source.git.commit": record.code.get("commit"),
    }
    return _stored({name: str(text) for name, text in known.items() if text})


def fixed_params(record: SweepRecord) -> dict[str, str]:
    """What every trial of the plan has in common, as a trial's parameters; the seed is none of it."""
    varied = tuple(f"{path}." for path in (*record.varied, "seed"))
    every = [params(trial.config) for trial in record.trials]
    return {
        path: text
        for path, text in (every[0].items() if every else ())
        if not f"{path}.".startswith(varied) and all(one.get(path) == text for one in every)
    }


def sweep_status(record: SweepRecord) -> tuple[str, int | None]:
    """Status and end of the parent run."""
    session = record.sessions[-1] if record.sessions else None
    if session is None or session.ended is None:
        return "RUNNING", None
    assert session.outcome is not None
    return _OUTCOME_STATUS[session.outcome], milliseconds(session.ended)


def sweep_files(record: SweepRecord) -> dict[str, bytes]:
    """Artifacts of the parent run."""
    files = {
        "spec.yaml": yaml.dump(dict(record.spec)).encode(),
        "plan.jsonl": "".join(trial.plan.to_json() + "\n" for trial in record.trials).encode(),
        "code.json": pretty_json(record.code),
    }
    if record.data:
        files["data.json"] = pretty_json({"sets": [one.to_dict() for one in record.data]})
    if record.code.get("diff"):
        files["diff.patch"] = str(record.code["diff"]).encode()
    return files


def identity_tags(name: str, key: str) -> dict[str, str]:
    """The tags by which a trial's run is found; there is one run with them."""
    return {"sweeps.kind": "trial", "sweeps.name": name, "sweeps.trial_key": key}


def trial_tags(trial: TrialRecord) -> dict[str, str]:
    """Tags of a trial's run that change as it goes."""
    tags = {
        "sweeps.state": trial.state.value,
        "sweeps.attempts": str(len(trial.attempts)),
        "timing.shared": "true" if trial.timing["shared"] else "false",
        "timing.reason": str(trial.timing["reason"]),
    }
    if trial.state is not TrialState.RUNNING:
        tags |= _hours([trial])
    if trial.final is not None and (said := collapse(trial.config, trial.final)) is not None:
        tags |= {TAG: said.kind.value, STATEMENT: f"{said.sentence} {said.cause}".strip()}
    if (head := chain.head(trial)) is not None:
        tags[chain.TAG] = head
    if trial.error or len(trial.attempts) > 1:  # a later attempt takes the error back
        tags["sweeps.error"] = (trial.error or "").partition("\n")[0]
    return _stored(tags)


def _stored(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: stored(text, MAX_TAG) for name, text in tags.items()}


def _hours(trials: Iterable[TrialRecord]) -> dict[str, str]:
    """Hours that trials held which do not run now, to the second; what runs is accounted when it ends."""
    held = list(trials)
    return {
        f"sweeps.{kind}_hours": f"{sum(getattr(trial, f'{kind}_seconds') for trial in held) / 3600:.4f}"
        for kind in ("cpu", "gpu")
    }


def params(config: TrainConfig) -> dict[str, str]:
    """The flattened configuration as MLflow's text: null as ``null``, lists as JSON.

    Of a value that is too long for it the beginning; the artifact `CONFIG` has the whole.
    """
    return {
        path: stored(value if isinstance(value, str) else json.dumps(value), MAX_PARAM)
        for path, value in config.flat().items()
    }


def epoch_points(epochs: Iterable[EpochRecord]) -> list[Point]:
    """Every value of some epochs at its step."""
    return [
        Point(key, epoch.epoch, milliseconds(epoch.time), _finite(key, value))
        for epoch in epochs
        for key, value in epoch.metrics.items()
    ]


def final_points(trial: TrialRecord) -> list[Point]:
    """The final numbers, once, at the last epoch's step."""
    if trial.final is None:
        return []
    when = trial_end(trial)
    return [Point(key, len(trial.history), when, _finite(key, value)) for key, value in trial.final.items()]


def sweep_start(record: SweepRecord) -> int:
    """When its first driver began, else its first trial, in milliseconds since 1970."""
    moments = [session.started for session in record.sessions]
    moments += [trial_start(trial) / 1000 for trial in record.trials if trial.attempts]
    return milliseconds(min(moments, default=time.time()))


def trial_end(trial: TrialRecord) -> int:
    """When it was complete, pruned, stopped or failed, in milliseconds since 1970."""
    assert trial.ended is not None, trial.state
    return milliseconds(trial.ended)


def trial_start(trial: TrialRecord) -> int:
    """When its first attempt began, in milliseconds since 1970."""
    moments = [
        attempt.started for attempt in trial.attempts if attempt is not None
    ]  # a torn file says nothing
    moments += [epoch.time for epoch in trial.history[:1]]
    moments += [trial.ended] if trial.ended is not None else []
    return milliseconds(min(moments, default=time.time()))


def known_start(trial: TrialRecord) -> int | None:
    """`trial_start`, or None where an attempt's file was torn: only its run knows then."""
    whole = all(attempt is not None and not attempt.torn for attempt in trial.attempts)
    return trial_start(trial) if whole and trial.attempts else None


def trial_files(trial: TrialRecord) -> dict[str, bytes]:
    """Artifacts of a trial's run that follow from its record: configuration, provenance, error."""
    files = {CONFIG: trial.config.to_yaml().encode()}
    for number, attempt in enumerate(trial.attempts, start=1):
        files[f"provenance/attempt-{number:04d}.json"] = pretty_json(
            attempt.to_dict() if attempt is not None else {}
        )
    if trial.state is TrialState.FAILED:
        files[ERROR] = (trial.error or "unknown").encode()
    return files


def unit_files(unit: Unit) -> dict[str, bytes]:
    """Artifacts of a complete trial's run that its last unit holds."""
    files = {WEIGHTS: unit.weights, LIKELIHOODS: unit.likelihoods}
    return {path: content for path, content in files.items() if content is not None}


def metric_names(record: SweepRecord) -> set[str]:
    """Names of the metrics that the service writes for a sweep; others are people's own."""
    names: set[str] = set()
    for trial in record.trials:
        names.update(trial.final or {}, *(epoch.metrics for epoch in trial.history))
    return names


def hashes(files: Mapping[str, bytes]) -> str:
    """The beginnings of the SHA-256 of some files by their paths, as JSON."""
    found = {path: hashlib.sha256(content).hexdigest()[:16] for path, content in sorted(files.items())}
    return json.dumps(found)


def fingerprint(trial: TrialRecord) -> str:
    """Changes whenever MLflow has something to learn about the trial."""
    values = [{} if attempt is None else attempt.to_dict() for attempt in trial.attempts]
    attempts = json.dumps(values, sort_keys=True)
    times = [epoch.time for epoch in trial.history]
    parts = [trial.state, times, trial.ended, trial.error, attempts, dict(trial.timing), trial.final]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{len(trial.history)}-{trial.state}-{digest[:16]}"


def sweep_fingerprint(record: SweepRecord) -> str:
    """Changes whenever MLflow has something to learn about a trial that has begun."""
    begun = [trial for trial in record.trials if trial.state is not TrialState.WAITING]
    parts = [(trial.key, fingerprint(trial)) for trial in begun]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def pretty_json(values: Mapping[str, Any]) -> bytes:
    """A mapping as people read JSON."""
    return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


def _finite(key: str, value: float) -> float:
    assert math.isfinite(value), f"{key} is {value}"
    return float(value)
