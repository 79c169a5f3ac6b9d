"""Keeps the code of a driver that goes on with a sweep, where it is not that of the sweep's start."""

from collections.abc import Mapping
from typing import Any

from tracking.provenance.codes import code_name, sha256
from tracking.provenance.provenance import code_files
from tracking.provenance.sources import changed, listed
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
    storage.write_json(code_name(session), code)
    if not code_files(before):
        return []
    files = listed(changed(code_files(before), code_files(code)))
    return [
        f"code: {files} changed since the sweep began: trials now run under other code than before, and the"
        " report says so"
    ]
