"""The parent run of a sweep: what was planned, by which code, and how far it is."""

import hashlib
import json
from pathlib import Path

from tracking.addresses import uris
from tracking.errors import RecordError
from tracking.mlflow import mapping as view
from tracking.mlflow.client import Client, Run
from tracking.records import chain
from tracking.records.records import SweepRecord
from tracking.records.source import Source
from tracking.runs.carry_over import NOTE, their_note
from tracking.runs.claims import claim, is_open, parent_runs
from tracking.runs.views import view_tags
from tracking.storage import turns

_FILES = "sweeps.synced_files"
_TRIALS = "sweeps.synced_trials"


def parent_run(client: Client, name: str) -> Run | None:
    """The parent run of the sweep with this name; the oldest, should there be two; open claims are none."""
    return next((run for run in parent_runs(client, name) if not is_open(run)), None)


def refuse_elsewhere(client: Client, parent: Run, source: Source[object]) -> None:
    """Check that a run is that of the sweep in this storage, not of another, nor of a copy's original.

    A sweep that was copied with its tracking store is not refused: the original has a store of its own.

    Raises:
        RecordError: the sweep in another storage has it.
    """
    other = parent.tags.get("sweeps.storage", source.root)
    if other == source.root:
        return
    namesake = source.namesake(other)
    if namesake is not None and _may_write(namesake, client):
        raise RecordError(
            f"the runs of {source.name} in {client.uri} are those of the sweep in {other}, not in"
            f" {source.root}:"
            f" --storage {other} goes on with it, another --tracking-uri records this one"
        )


def _may_write(source: Source[object], client: Client) -> bool:
    """Whether a sweep is recorded in this tracking store, as far as both know where they were."""
    if client.uri.startswith("sqlite") and Path(source.root).is_relative_to(
        uris.sqlite_path(client.uri).parent
    ):
        return True  # it was made, or copied, together with the store
    if client.move.roots:
        return False
    last = turns.last_store(source)
    # Two servers may be one, under two names.
    return last in (None, client.uri) or (uris.is_server(str(last)) and uris.is_server(client.uri))


def attach_report(
    client: Client, parent_run_id: str, folder: Path, summary: str, replaced: str | None
) -> None:
    """Store a report's files, and its summary in the description, around which people's words stay."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    content = {f"report/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}
    client.artifacts.upload(parent_run_id, content)
    note = their_note(client.run(parent_run_id).tags.get(NOTE), replaced, summary)
    client.log(parent_run_id, tags={NOTE: note})


class SweepRun:
    """The parent run of one sweep; one at a time may write it.

    Args:
        client: an open tracking store.
        experiment_id: where a new run goes.
        run: the sweep's, where there is one.
        trusting: believe the run's notes that its files and its trials had arrived.
    """

    def __init__(self, client: Client, experiment_id: str, run: Run | None, trusting: bool = True) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._run = run
        self._tags = dict(run.tags) if run is not None and trusting else {}
        self._end = (run.status, run.end) if run is not None else ("RUNNING", None)

    def begin(self, record: SweepRecord) -> str:
        """Find or create the run and store its files; returns its id.

        Raises:
            RecordError: the name belongs to a sweep in another storage, or what was decided was altered.
        """
        tags = view.sweep_tags(record) | view.source_tags(record)
        if self._run is None:
            self._run = claim(self._client, self._experiment_id, record, tags)
            self._tags = dict(tags)
        assert record.source is not None
        refuse_elsewhere(self._client, self._run, record.source)
        if chain.decision_altered(self._run.tags.get(chain.TAG), record):
            raise RecordError(f"{record.name}: {view.DECISION_ALTERED.format(run=self._run.id)}")
        files = view.sweep_files(record)
        digest = _digest({name: content.decode() for name, content in files.items()})
        changed = self._tags.get(_FILES) != digest
        if changed:
            self._client.artifacts.upload(self._run.id, files)
            self._write_tags({_FILES: digest})
            fixed = view.fixed_params(record).items()
            if params := {path: text for path, text in fixed if path not in self._run.params}:
                self._client.log(self._run.id, params=params)
        if changed or view.VIEWS not in self._tags or record.alone:  # once probed, other seconds are shown
            self._save_views(record)
        return self._run.id

    def _save_views(self, record: SweepRecord) -> None:
        """Save views that are new or lost; one that a person changed stays until they are others."""
        assert self._run is not None
        views = view_tags(record)
        digest = _digest(views)
        if self._tags.get(view.VIEWS) == digest:
            return
        known = self._client.experiment_tags(self._run.experiment_id)
        keep = self._run.tags.get(view.VIEWS) == digest
        missing = {name: text for name, text in views.items() if not (keep and name in known)}
        self._client.tag_experiment(self._run.experiment_id, missing)
        self._write_tags({view.VIEWS: digest})

    def has_trials_of(self, record: SweepRecord) -> bool:
        """Whether the run notes that its trials had arrived as the record has them.

        So a sweep that ended is recorded again without a look at each trial's run.
        """
        if _TRIALS not in self._tags:
            return False
        if self._tags[_TRIALS] == view.sweep_fingerprint(record):
            return True
        del self._tags[_TRIALS]  # not computed again while the sweep goes on
        return False

    def finish(self, record: SweepRecord, whole: bool = True) -> None:
        """Say how far the sweep is, once its trials are recorded; ``whole``: all of them were."""
        assert self._run is not None
        status, end = view.sweep_status(record)
        note = {} if end is None or not whole else {_TRIALS: view.sweep_fingerprint(record)}
        self._write_tags({**view.sweep_tags(record), **view.source_tags(record), **note})
        if end is None and self._end[0] != "RUNNING":
            self._client.reopen(self._run.id)
        elif end is not None and (status, end) != self._end:
            self._client.end(self._run.id, status, end)
        self._end = (status, end)

    def _write_tags(self, tags: dict[str, str]) -> None:
        assert self._run is not None
        changed = {name: text for name, text in tags.items() if self._tags.get(name) != text}
        if changed:
            self._client.log(self._run.id, tags=changed)
            self._tags.update(changed)


def _digest(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
