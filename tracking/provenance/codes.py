"""Under which code a trial ran: that of the sweep's start, or that of a driver that went on with it later."""

from collections.abc import Mapping
from typing import Any

from tracking.provenance.provenance import code_files
from tracking.provenance.sources import changed, listed
from tracking.records.records import SweepRecord, TrialRecord
from tracking.storage.sweep import SweepStorage


def note(storage: SweepStorage, session: int, code: Mapping[str, Any]) -> list[str]:
    """Keep a later driver's code, where it is not that of the sweep's start.

    Args:
        storage: the sweep.
        session: the driver's number.
        code: ``tracking.provenance.provenance.code`` of the driver.

    Returns:
        What to say: which source files differ; nothing where none does or the start's were not noted.
    """
    before = storage.decided().code()
    if sha256(before) == sha256(code):
        return []
    storage.write_json(_name(session), code)
    if not code_files(before):
        return []
    files = listed(changed(code_files(before), code_files(code)))
    return [
        f"code: {files} changed since the sweep began: trials now run under other code than before, and the"
        " report says so"
    ]


def code_of(storage: SweepStorage, record: SweepRecord, trial: TrialRecord) -> Mapping[str, Any]:
    """The code of a trial's newest attempt; empty where that is lost.

    Args:
        storage: the sweep.
        record: of the sweep.
        trial: one of its trials.
    """
    ran = trial.provenance.get("code_sha256")
    if ran is None or ran == sha256(record.code):
        return record.code
    last = trial.attempts[-1]
    code = None if last is None else storage.read_json(_name(last.session))
    return code if code is not None and sha256(code) == ran else {}


def sha256(code: Mapping[str, Any]) -> str | None:
    """The hash that names the sources of a code; None in the records of versions that did not note it."""
    sources = code.get("sources")
    return sources.get("sha256") if isinstance(sources, Mapping) else None


def _name(session: int) -> str:
    return f"codes/{session:04d}.json"
