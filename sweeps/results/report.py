"""The report in storage, in a folder of the user's, and at the parent run."""

import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from iwae.errors import ConfigError
from tracking.errors import RecordError
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

PAGE_PIXELS = 900


@dataclass(frozen=True)
class StoredReport:
    """A report that was written.

    Attributes:
        folder: where it is: in storage, or the folder that was asked for.
        page: ``index.html``, which shows everything without a network.
        missing: why the parent run in MLflow does not have it; None when it has.
    """

    folder: str
    page: str = field(repr=False)
    missing: str | None

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"{self.folder}/index.html"

    def _repr_html_(self) -> str:
        # A frame of its own: the page's styles and scripts do not meet the notebook's.
        frame = (
            f'<iframe srcdoc="{escape(self.page)}" sandbox="allow-scripts" width="100%"'
            f' height="{PAGE_PIXELS}" style="border:0"></iframe>'
        )
        notice = "" if self.missing is None else f"<p>MLflow does not have it: {escape(self.missing)}</p>"
        return f"{notice}{frame}<p><code>{escape(self.address)}</code></p>"


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
    record: SweepRecord,
    storage: SweepStorage,
    store: RunStore,
    output: Path | str | None,
    against: SweepRecord | None = None,
) -> StoredReport:
    """Write the report wherever it is wanted, also where the tracking store takes nothing.

    Args:
        record: the sweep.
        storage: its files.
        store: the tracking store, open.
        output: a folder that gets it as well.
        against: another sweep, to which this one is compared in a section of its own.

    Raises:
        ConfigError: the folder cannot be written.
        RecordError: ``against`` cannot be compared with it.
    """
    from tracking.analysis.two_sweeps.comparison import compare_sweeps

    compared = None if against is None else compare_sweeps(against, record)
    if output is not None:
        output = Path(output).absolute()
        prove_folder(output)
    from tracking.publish import links_of, make_report, publish, store_report  # with all that draws

    missing = links = None
    try:
        links = links_of(store, record.name, publish(record, storage, store, compared))
    except RecordError as error:
        missing = str(error)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as scratch:
            store_report(record, storage, Path(scratch), against=compared)
    if output is not None:
        make_report(record, storage, output, links, compared)
    folder = f"{storage.uri}/report" if output is None else str(output)
    page = storage.files.read(storage.path("report", "index.html")).decode()
    return StoredReport(folder, page, missing)
