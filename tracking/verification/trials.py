"""What is wrong with the run of one trial in MLflow, compared with what storage holds of it."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.left_out import is_lost
from tracking.mlflow import mapping as view
from tracking.provenance.codes import code_of
from tracking.records import chain
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.fault import Fault, FaultKind

if TYPE_CHECKING:
    from tracking.mlflow.client import Run

_SETTLING_SECONDS = 30.0  # the recorder of a running sweep is at most this far behind
_SHOWN = 5
Finding = tuple[FaultKind, str]


def logged_points(
    store: RunStore, pairs: "Sequence[tuple[TrialRecord, list[Run]]]"
) -> dict[str, list[view.Point]]:
    """Every value that was logged to the run of each trial, by run id."""
    checked = {runs[0].id: (trial, runs[0]) for trial, runs in pairs if runs}
    return store.client.histories.of_many(
        {
            run_id: {*run.metrics, *(point.key for point in _expected_points(trial))}
            for run_id, (trial, run) in checked.items()
        }
    )


def _expected_points(trial: TrialRecord) -> list[view.Point]:
    return [*view.epoch_points(trial.history), *view.final_points(trial)]


@dataclass(frozen=True)
class TrialCheck:
    """What the runs of a sweep's trials are compared with.

    Attributes:
        parent: the id of the sweep's run.
        live: whether a driver works on the sweep.
        names: of the metrics that the service writes; others are people's own.
    """

    storage: SweepStorage
    store: RunStore
    record: SweepRecord
    parent: str
    live: bool
    names: frozenset[str]

    def faults(
        self, logged: dict[str, list[view.Point]], pair: "tuple[TrialRecord, list[Run]]"
    ) -> list[Fault]:
        """What is wrong with the runs of a trial; ``logged`` holds what was logged, by run id."""
        trial, runs = pair
        if (unbelieved := self._unbelieved(trial, runs)) is not None:
            return [unbelieved]
        faults = _run_faults(trial, runs, self.live)
        if runs and trial.state is not TrialState.WAITING:
            run = runs[0]
            ours = [point for point in logged[run.id] if point.key in self.names]
            for kind, what in (
                *_state_faults(trial, run, self.parent),
                *_point_faults(trial, run, ours),
                *file_faults(self.store, run, self._expected_files(trial)),
                *_figure_faults(self.store, run),
            ):
                faults.append(Fault(trial.key, what, kind))
        return faults

    def _unbelieved(self, trial: TrialRecord, runs: "list[Run]") -> Fault | None:
        """Why storage has nothing that a run can be compared with: its result is lost, or was altered."""
        name = self.storage.name
        if lost := [run.id for run in runs if is_lost(run, trial.state)]:
            again = f"sweeps resume {name}" + (" --retry-failed" if trial.state is TrialState.FAILED else "")
            what = (
                f"MLflow: run {', '.join(lost)} is FINISHED and storage, where the trial is {trial.state},"
                f" has no result of it: `{again}` trains the trial again and replaces the run"
            )
            return Fault(trial.key, what, FaultKind.LOST)
        changed = chain.altered(runs[0].tags.get(chain.TAG), trial) if runs else None
        if changed is None:
            return None
        folder = f"{self.storage.uri}/trials/{trial.key}"
        path = folder if changed == chain.ATTEMPTS else f"{folder}/{changed}"
        words = view.RESULT_ALTERED.format(what=changed, run=runs[0].id, path=path, sweep=name)
        return Fault(trial.key, f"storage: {words}", FaultKind.ALTERED)

    def _expected_files(self, trial: TrialRecord) -> dict[str, bytes]:
        files = view.trial_files(trial)
        if trial.attempts:
            files[view.CODE] = view.pretty_json(code_of(self.storage, self.record, trial))
        unit = self.storage.trial(trial.key).newest() if trial.state is TrialState.COMPLETE else None
        return files if unit is None else {**files, **view.unit_files(unit)}


def _run_faults(trial: TrialRecord, runs: "list[Run]", live: bool) -> list[Fault]:
    faults = []
    expected = 0 if trial.state is TrialState.WAITING else 1
    if trial.state is TrialState.RUNNING and not live:
        what = "it is RUNNING and no driver works on it: `sweeps resume`, or --repair closes it"
        faults.append(Fault(trial.key, what, FaultKind.OPEN))
    if len(runs) != expected:
        ids = ", ".join(run.id for run in runs) or "none"
        what = f"MLflow: it is {trial.state} and has {len(runs)} runs ({ids}): must be {expected}"
        kind = FaultKind.MISSING if len(runs) < expected else FaultKind.EXTRA
        faults.append(Fault(trial.key, what, kind))
    return faults


def _state_faults(trial: TrialRecord, run: "Run", parent: str) -> Iterator[Finding]:
    if run.status != view.STATUS[trial.state]:
        yield FaultKind.DIFFERENT, f"MLflow: run {run.id} is {run.status}: must be {view.STATUS[trial.state]}"
    if trial.state is not TrialState.RUNNING and run.end != view.trial_end(trial):
        yield FaultKind.DIFFERENT, f"MLflow: run {run.id} ended at {run.end}: must be {view.trial_end(trial)}"
    start = view.known_start(trial)
    if start is not None and run.start != start:
        yield FaultKind.DIFFERENT, f"MLflow: run {run.id} started at {run.start}: must be {start}"
    tags = {
        **view.trial_tags(trial),
        "mlflow.parentRunId": parent,
        "sweeps.configuration_key": trial.plan.configuration_key,
    }
    for name, text in tags.items():
        if run.tags.get(name) != text:
            what = f"MLflow: run {run.id} has {name} = {run.tags.get(name)}: must be {text}"
            yield FaultKind.DIFFERENT, what
    params = view.params(trial.config)
    for name in sorted(params):
        if params.get(name) != run.params.get(name):
            what = f"MLflow: run {run.id} has {name} = {run.params.get(name)}: must be {params.get(name)}"
            yield FaultKind.DIFFERENT, what
    content = trial.provenance.get("dataset_hash")
    digests = [digest for name, digest in run.datasets if name == trial.config.data.name]
    if content and digests != [str(content)[: view.MAX_DIGEST_LENGTH]]:
        yield FaultKind.DIFFERENT, f"MLflow: run {run.id} does not name its data set, or with another digest"


def _point_faults(trial: TrialRecord, run: "Run", points: list[view.Point]) -> Iterator[Finding]:
    """Every value of storage once and no other: compared with its step, its time and all its bits."""
    expected, logged = Counter(_expected_points(trial)), Counter(points)
    yield from _listed(run, FaultKind.MISSING, "lacks", expected - logged)
    yield from _listed(run, FaultKind.EXTRA, "has besides", logged - expected)
    # What the pages and every table show is kept apart from the histories.
    last = {point.key: point.value for point in sorted(expected, key=lambda point: (point.step, point.time))}
    for key, value in last.items():
        if expected == logged and run.metrics.get(key) != value:
            shown = run.metrics.get(key)
            what = f"MLflow: run {run.id} shows {key} = {shown}: must be its last value, {value!r}"
            yield FaultKind.DIFFERENT, what


def _listed(run: "Run", kind: FaultKind, verb: str, points: "Counter[view.Point]") -> Iterator[Finding]:
    if points:
        ordered = sorted(points, key=lambda point: (point.step, point.key))
        words = ", ".join(f"{point.key} = {point.value!r} at step {point.step}" for point in ordered[:_SHOWN])
        more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
        yield kind, f"MLflow: run {run.id} {verb} {words}{more}"


def _figure_faults(store: RunStore, run: "Run") -> Iterator[Finding]:
    """The figures as they were when they were drawn; a run from before that was noted has none to compare."""
    noted = run.tags.get(view.FIGURES)
    for path, digest in json.loads(noted).items() if noted else ():
        found = store.client.artifacts.read_if_there(run.id, path)
        if found is None:
            yield FaultKind.MISSING, f"MLflow: run {run.id} lacks the artifact {path}"
        elif not hashlib.sha256(found).hexdigest().startswith(digest):
            what = f"MLflow: the artifact {path} of run {run.id} is not what was drawn"
            yield FaultKind.DIFFERENT, what


def file_faults(store: RunStore, run: "Run", files: dict[str, bytes]) -> Iterator[Finding]:
    """Artifacts that are missing or are not as storage holds them."""
    for path, content in files.items():
        found = store.client.artifacts.read_if_there(run.id, path)
        if found is None:
            yield FaultKind.MISSING, f"MLflow: run {run.id} lacks the artifact {path}"
        elif found != content:
            what = f"MLflow: the artifact {path} of run {run.id} is not what storage holds"
            yield FaultKind.DIFFERENT, what


def is_settling(storage: SweepStorage, key: str) -> bool:
    """Whether something of the trial is so new that the recorder may not have seen it."""
    changes = [s.changed for name, s in storage.trial(key).names().items() if name != "progress.json"]
    return time.time() - max(changes, default=0.0) < _SETTLING_SECONDS
