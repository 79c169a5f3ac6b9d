"""An .npz file as an archive of arrays. Nothing is unpickled.

What a file promises is compared with what it holds, and with this machine's memory, before it is unpacked.
"""

import contextlib
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from iwae.errors import DataError

# Data are compressed 100 times at most; a file that unpacks to more than this was made to fill memory.
MAX_COMPRESSION, COMPRESSION_CHECKED_ABOVE = 500, 2**26
# Of the machine's memory: the data, their copy as a model sees them and the model have to fit as well.
MAX_MEMORY_SHARE = 0.25
_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, SyntaxError, RuntimeError, NotImplementedError),
    *(EOFError, MemoryError, RecursionError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


class Header(NamedTuple):
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        """Of the array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The file, whose reader's errors become one line.

    Raises:
        DataError: it is missing or not an .npz file.
    """
    if not path.is_file():
        raise DataError(f"data.path: {path} is not allowed: must be an .npz file that exists")
    if not zipfile.is_zipfile(path):
        raise DataError(f"data.path: {path} cannot be read as an .npz file: must be what numpy.savez writes")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(f"data.path: {path} cannot be read as an .npz file: {_one_line(error)}") from None


def headers_of(archive: zipfile.ZipFile, path: Path) -> dict[str, Header]:
    """The headers of all arrays of the file; of their content nothing is unpacked.

    Raises:
        DataError: the file is encrypted, an array is torn, or it unpacks to more than data do.
    """
    found = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if info.flag_bits & 1:
            raise DataError(f"data.path: {path} is encrypted: must be what numpy.savez writes")
        try:
            with archive.open(info) as file:
                version = npy.read_magic(file)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(file)
                held = info.file_size - file.tell()
        except _UNREADABLE as error:
            raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from None
        header = Header(shape, dtype)
        if not dtype.hasobject and header.num_bytes != held:
            raise DataError(
                f"{path}: {name} is torn: the shape {shape} needs {header.num_bytes} bytes, it has {held}"
            )
        if held > COMPRESSION_CHECKED_ABOVE and held > MAX_COMPRESSION * max(info.compress_size, 1):
            raise DataError(
                f"{path}: {name} unpacks to {held:,} bytes from {info.compress_size:,}: must be data, which"
                f" are compressed less than {MAX_COMPRESSION} times"
            )
        found[name] = header
    return found


def refuse_larger_than_memory(headers: list[Header], path: Path) -> None:
    """Refuse arrays that leave no room for anything else.

    Raises:
        DataError: together they take more than a quarter of the machine's memory.
    """
    total = sum(header.num_bytes for header in headers)
    most = int(MAX_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if total > most:
        raise DataError(f"{path}: has {total:,} bytes of data: must be <= {most:,}, a quarter of the memory")


def array_in(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """One array of the file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with archive.open(f"{name}.npy") as file:
            array: np.ndarray = npy.read_array(file, allow_pickle=False)
            return array
    except _UNREADABLE as error:
        raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
