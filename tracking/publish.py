"""Makes the trade-off report of a sweep and attaches it to the parent run."""

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tracking.addresses import uris
from tracking.analysis.two_sweeps.comparison import TwoSweeps
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.figures import trial_figures
from tracking.left_out import believed
from tracking.published import REPORT, model_of, note, note_fault, published
from tracking.ranking import rank
from tracking.records.records import SweepRecord, TrialRecord
from tracking.records.shapes import SessionEntry
from tracking.report.links import Links
from tracking.report.report import Report, write_report
from tracking.runs.best_model import log_model
from tracking.storage import turns
from tracking.storage.pictures import StoredPictures
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

_log = logging.getLogger(__name__)


def make_report(
    record: SweepRecord,
    storage: SweepStorage,
    folder: Path,
    links: Links | None = None,
    against: TwoSweeps | None = None,
) -> Report:
    """Write the report of what storage holds.

    Args:
        record: the sweep.
        storage: where its pictures are.
        folder: where the report goes.
        links: where its runs are; None where MLflow cannot be asked.
        against: another sweep compared with this one, for a section of its own.
    """
    pictures = StoredPictures(storage, [trial.key for trial in record.complete])
    return write_report(record, folder, pictures, links, against)


def links_of(store: RunStore, name: str, parent: str) -> Links:
    """The pages of a sweep's runs: on the server, or on the one that `sweeps ui` starts."""
    base = store.tracking_uri if uris.is_server(store.tracking_uri) else uris.LOCAL_UI
    pages = {
        run.tags["sweeps.trial_key"]: uris.run_page(base, run.experiment_id, run.id)
        for run in reversed(store.trial_runs(name))  # of two that claim a trial the older one is kept
        if "sweeps.trial_key" in run.tags
    }
    needs = "" if base == store.tracking_uri else f"sweeps ui {name}"
    return Links(uris.shown(store.tracking_uri), store.run_url(parent, base), pages, needs)


def store_report(
    record: SweepRecord,
    storage: SweepStorage,
    folder: Path,
    links: Links | None = None,
    against: TwoSweeps | None = None,
) -> Report:
    """Write the report into a folder and into storage."""
    report = make_report(record, storage, folder, links, against)
    for path in report.files:
        storage.files.write(storage.path("report", path.name), path.read_bytes())
    return report


def publish(
    record: SweepRecord, storage: SweepStorage, store: RunStore, against: TwoSweeps | None = None
) -> str:
    """Store the report and attach it to the parent run; bring MLflow to the record, log the best model.

    While a driver works on the sweep its recorder brings MLflow to storage, and its end logs the best model:
    then the report is all that is attached. Should the driver end meanwhile, its end is published again, so
    that an older report never stays.

    Returns:
        The parent's run id.
    """
    parent = _publish(record, storage, store, against)
    while live_session(storage) is None and _ends(storage.sessions()) != _ends(record.sessions):
        record = storage.record()
        parent = _publish(record, storage, store, against)
    return parent


def publish_if_missing(record: SweepRecord, storage: SweepStorage, store: RunStore) -> None:
    """Publish where the parent run has no report: its sweep ended while MLflow was away, or MLflow is new."""
    parent = store.find_sweep(record.name)
    there = parent is not None and store.client.artifacts.read_if_there(parent, REPORT) is not None
    if not there or note_fault(storage, there) is not None:
        publish(record, storage, store)


def _publish(record: SweepRecord, storage: SweepStorage, store: RunStore, against: TwoSweeps | None) -> str:
    live = live_session(storage) is not None
    parent = store.find_sweep(record.name) if live else None
    if parent is None:
        parent = store.sync(record, trial_figures)
    attach(record, storage, store, parent, with_model=not live, against=against)
    return parent


def attach(
    record: SweepRecord,
    storage: SweepStorage,
    store: RunStore,
    parent: str,
    *,
    with_model: bool = True,
    against: TwoSweeps | None = None,
) -> None:
    """Draw the report, attach it to the parent run, and note what was published.

    ``with_model``: also rank the configurations and log the best one's model. ``against``: another sweep
    compared with this one, for a section of its own.
    """
    before = published(storage)
    record, altered = believed(record, store)
    for line in altered:
        _log.warning("%s: see `sweeps verify %s`", line, record.name)
    with tempfile.TemporaryDirectory(prefix="sweeps-") as name:
        links = links_of(store, record.name, parent)
        report = store_report(record, storage, Path(name), links, against)
        store.attach_report(parent, report.folder, report.summary_markdown, before.get("summary"))
        files = {path.name: path.read_bytes() for path in report.files}
    model = before.get("model", {})
    if with_model:
        rank(record, storage, store, parent)
    if with_model and (choice := best(record)) is not None:
        uri = log_best_model(record, choice.trial, storage, store)
        model = model_of(store, uri, choice.trial.key)
    note(storage, files, report.summary_markdown, model)


def log_best_model(record: SweepRecord, trial: TrialRecord, storage: SweepStorage, store: RunStore) -> str:
    """Log a trial's model so that ``mlflow.pyfunc.load_model`` loads it (``iwae.serving``).

    A sweep has one such model: another best replaces it, the same best changes nothing.

    Returns:
        Its address.

    Raises:
        RecordError: storage has no weights of the trial, or MLflow no run of it.
    """
    with turns.alone(storage):
        parent, run_id = store.find_sweep(record.name), store.trial_run_id(record.name, trial.key)
        if parent is None or run_id is None:
            raise RecordError(
                f"{store.tracking_uri} has no run of {trial.plan.name} of {record.name}:"
                f" `sweeps verify {record.name} --repair`"
            )
        return log_model(store.client, run_id, parent, storage, record, trial)


def _ends(sessions: Iterable[SessionEntry]) -> list[tuple[float, float | None]]:
    """What of the drivers' entries stays as it is: not their heartbeats."""
    return [(session.started, session.ended) for session in sessions]
