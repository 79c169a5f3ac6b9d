"""`sweeps report`: the report in storage, in a folder of the user's, and at the parent run."""

import tempfile
from pathlib import Path

from iwae.errors import ConfigError
from tracking.errors import RecordError
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


def prove_folder(folder: Path) -> None:
    """Check that a report can be written into a folder, made if it is missing, before anything is drawn.

    Raises:
        ConfigError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            "--output", f"{str(folder)[:100]!r} is not allowed: must be a folder to write in ({why})"
        ) from None


def write(
    record: SweepRecord, storage: SweepStorage, store: RunStore, output: Path | None
) -> tuple[str, str | None]:
    """Write the report wherever it is wanted, also where the tracking store takes nothing.

    Args:
        record: the sweep.
        storage: where it lies.
        store: the tracking store, open.
        output: a folder that gets it as well.

    Returns:
        The folder to read it in, and why the parent run does not have it; None when it has.
    """
    from tracking.publish import make_report, publish, store_report

    untold = None
    try:
        publish(record, storage, store)
    except RecordError as error:
        untold = str(error)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as scratch:
            store_report(record, storage, Path(scratch))
    if output is not None:
        return str(make_report(record, storage, output).folder), untold
    return f"{storage.uri}/report", untold
