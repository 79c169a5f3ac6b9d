"""Deletes a sweep's files: only what a sweep wrote, and what says that there is a sweep last.

Wherever it is cut short, what is left is known to be half deleted: no command takes it for a sweep, no new
sweep begins in it, and deleting it again finishes.
"""

import time
from pathlib import Path

from tracking.errors import RecordError
from tracking.files.files import to_json
from tracking.files.folder import Folder
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import DELETING, is_own
from tracking.storage.turns import LOCK

_LAST = (*Decided.NAMES, *Decided.OPTIONAL, ZIP, DELETING)


def begin_deletion(storage: SweepStorage) -> None:
    """Mark a sweep as half deleted; from here on no driver begins to work on it.

    Raises:
        RecordError: its folder is a link to a folder elsewhere.
    """
    if isinstance(storage.files, Folder) and (folder := Path(storage.uri)).is_symlink():
        raise RecordError(
            f"{folder} is a link to {folder.resolve()}: what is outside the storage is not deleted:"
            " remove the link"
        )
    storage.files.write(storage.path(DELETING), to_json({"time": time.time()}))


def end_deletion(storage: SweepStorage) -> list[str]:
    """Remove a sweep's files, its marks last.

    Returns:
        What a sweep did not write, and what stays.
    """
    files, found = storage.files, storage.files.entries(storage.path())
    files.delete_all([storage.path(name) for name in found if is_own(name)])
    for name in (LOCK, *_LAST):
        if name in found:
            files.delete(storage.path(name))
    files.tidy(storage.path())
    return [name for name in found if name not in (LOCK, *_LAST) and not is_own(name)]
