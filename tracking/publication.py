"""Makes the trade-off report of a sweep and attaches it to the parent run."""

import tempfile
from pathlib import Path

from tracking.records import SweepRecord
from tracking.report.report import Report, write_report
from tracking.report.tables import best
from tracking.storage import StoredPictures, SweepStorage
from tracking.store import RunStore


def make_report(record: SweepRecord, storage: SweepStorage, folder: Path) -> Report:
    """Write the report of what storage holds.

    Args:
        record: the sweep.
        storage: where its pictures lie.
        folder: where the report goes.
    """
    return write_report(record, folder, StoredPictures(storage, [trial.key for trial in record.complete]))


def publish(record: SweepRecord, storage: SweepStorage, store: RunStore) -> str:
    """Bring MLflow to the record, store the report and attach it to the parent run, log the best model.

    Returns:
        The parent's run id.
    """
    with tempfile.TemporaryDirectory(prefix="sweeps-") as name:
        report = make_report(record, storage, Path(name))
        for path in report.files:
            storage.files.write(storage.path("report", path.name), path.read_bytes())
        parent = store.sync(record)
        store.attach_report(parent, report.folder, report.summary_markdown)
    if (choice := best(record)) is not None:
        store.log_best_model(record, choice.trial)
    return parent
