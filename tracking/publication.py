"""Makes the trade-off report of a sweep and attaches it to the parent run."""

from pathlib import Path

from tracking.records import SweepRecord
from tracking.report.report import Report, write_report
from tracking.report.tables import best
from tracking.storage import StoredPictures, SweepStorage
from tracking.store import RunStore


def make_report(record: SweepRecord, storage: SweepStorage, folder: Path | None = None) -> Report:
    """Write the report of what storage holds.

    Args:
        record: the sweep.
        storage: where its pictures lie.
        folder: where the report goes; by default into the sweep's own folder.
    """
    pictures = StoredPictures(storage, [trial.key for trial in record.complete])
    return write_report(record, folder or storage.folder / "report", pictures)


def publish(record: SweepRecord, storage: SweepStorage, store: RunStore) -> str:
    """Bring MLflow to the record, attach the report to the parent run, log the best configuration's model.

    Returns:
        The parent's run id.
    """
    report = make_report(record, storage)
    parent = store.sync(record)
    store.attach_report(parent, report.folder, report.summary_markdown)
    if (choice := best(record)) is not None:
        store.log_best_model(record, choice.trial)
    return parent
