"""Files in a folder of this machine, or of a file system that machines share."""

import contextlib
import errno
import os
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from tracking.errors import StorageError
from tracking.files.files import Stamp
from tracking.files.locks import file_lock, prove_locks

# Of FAT, of some shares and FUSE file systems.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EMLINK)
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")


class Folder:
    """The files below a folder.

    Args:
        root: absolute; made when something is written.
    """

    poll_seconds = 1.0
    parallel = 1

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    def read(self, path: str) -> bytes:
        """The content of a file."""
        with self._told(), _regular(self.root / path) as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        """A file to read parts of."""
        with self._told():
            return _regular(self.root / path)

    def stamp(self, path: str) -> Stamp | None:
        """When a file was written."""
        try:
            with self._told():
                return _stamp((self.root / path).stat())
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write or replace a file: beside it first, then by renaming."""
        with self._told(), self._beside(path, content, durable) as temporary:
            temporary.replace(self.root / path)

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that is not there yet, whole from the first moment on."""
        with self._told(), self._beside(path, content, durable=True) as temporary:
            try:
                os.link(temporary, self.root / path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return _create_alone(self.root / path, content)
            return True

    def delete(self, path: str) -> None:
        """Remove a file."""
        with self._told():
            (self.root / path).unlink(missing_ok=True)

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove files."""
        for path in paths:
            self.delete(path)

    def tidy(self, path: str) -> None:
        """Remove a folder and its subfolders that hold no file, and what writers that were killed left."""
        with self._told():
            for folder, _, names in os.walk(self.root / path, topdown=False):
                for name in names:
                    if _TEMPORARY.fullmatch(name):
                        Path(folder, name).unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # it is not empty
                    Path(folder).rmdir()

    def entries(self, path: str) -> dict[str, Stamp]:
        """Every file below, at any depth."""
        found: dict[str, Stamp] = {}
        with self._told():
            self._scan(self.root / path, "", found)
        return dict(sorted(found.items()))

    def names(self, path: str) -> list[str]:
        """Names of the folders directly below."""
        try:
            with self._told(), os.scandir(self.root / path) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def lock(self, path: str) -> AbstractContextManager[None]:
        """The lock of a file that stays and holds nothing; shared file systems must support ``flock``."""
        return self._locked(self.root / path)

    def prove(self) -> None:
        """Check that files can be written and locked here."""
        with self._told():
            prove_locks(self.root)

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with self._told():
                stack.enter_context(file_lock(path))
            yield

    def _scan(self, folder: Path, prefix: str, found: dict[str, Stamp]) -> None:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue  # being written, or left by a writer that was killed
                    if entry.is_dir(follow_symlinks=False):
                        self._scan(Path(entry.path), f"{prefix}{entry.name}/", found)
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        found[prefix + entry.name] = _stamp(entry.stat())
        except (FileNotFoundError, NotADirectoryError):
            return

    @contextlib.contextmanager
    def _beside(self, path: str, content: bytes, durable: bool) -> Iterator[Path]:
        """The content in a file of its own, removed at the end; durable once it bears its name."""
        folder = (self.root / path).parent
        _make(folder)
        # Unique among threads, processes and machines that share the folder.
        temporary = folder / f".{Path(path).name}.{uuid.uuid4().hex}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
        if durable:
            _sync(folder)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"storage {self.root}: {error.strerror or error}") from error


def _regular(path: Path) -> BinaryIO:
    """The open file; anything but a regular file counts as missing, so that a pipe does not block."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (IsADirectoryError, NotADirectoryError):
        raise _missing(path) from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise _missing(path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _missing(path)
    return os.fdopen(handle, "rb")


def _missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _create_alone(path: Path, content: bytes) -> bool:
    """Write a file that is not there yet where there are no hard links: for a moment it is not whole."""
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_mtime, f"{status.st_ino}-{status.st_mtime_ns}", status.st_size)


def _make(folder: Path) -> None:
    """A folder and its parents, each entered durably into its own parent."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
