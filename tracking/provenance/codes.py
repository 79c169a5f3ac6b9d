"""Under which code a trial ran: that of the sweep's start, or that of a driver that went on with it later."""

from collections.abc import Mapping
from typing import Any

from tracking.records.records import SweepRecord, TrialRecord
from tracking.records.source import Source


def code_of(storage: Source[SweepRecord], record: SweepRecord, trial: TrialRecord) -> Mapping[str, Any]:
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
    code = None if last is None else storage.read_json(code_name(last.session))
    return code if code is not None and sha256(code) == ran else {}


def sha256(code: Mapping[str, Any]) -> str | None:
    """The hash that names the sources of a code; None in the records of versions that did not note it."""
    sources = code.get("sources")
    return sources.get("sha256") if isinstance(sources, Mapping) else None


def code_name(session: int) -> str:
    """The file with the code of a later driver, by its number."""
    return f"codes/{session:04d}.json"
