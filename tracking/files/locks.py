"""A lock that processes of one machine share, by a file; it ends with the process that holds it."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of this file, and hold it.

    Args:
        path: the lock's own file; it is made, stays, and holds nothing.

    Raises:
        OSError: it cannot be written, or its file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _take(file.fileno())
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def prove_locks(folder: Path) -> None:
    """Check that files can be written and locked in a folder, or where it will be made; leaves no trace.

    Raises:
        OSError: they cannot.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    with tempfile.TemporaryFile(dir=there) as file:
        _take(file.fileno())


def _take(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EPERM, errno.EINVAL):
            raise
        raise OSError(
            error.errno,
            f"its file system has no file locks (flock: {os.strerror(error.errno)}): must be mounted with"
            " them, or a folder on another one",
        ) from None
