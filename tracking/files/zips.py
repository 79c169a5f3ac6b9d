"""Zips whose bytes may have changed: whatever is wrong with one is a BadZipFile."""

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# What the library makes of headers that were altered: a compression it does not know, a password it lacks, a
# place before the file's begin, a name in no encoding; and members that are not there or hold something else.
_ALTERED = (
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


@contextmanager
def open_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The zip in an open file, for as long as the block that reads it.

    Raises:
        zipfile.BadZipFile: the file, or what the block made of a member, is torn or altered.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        # The library calls a file that it cannot read no zip.
        if isinstance(cause := error.__context__, OSError) and not _is_altered(cause):
            raise cause from None
        raise
    except OSError as error:
        if not _is_altered(error):
            raise
        raise zipfile.BadZipFile(str(error)) from error
    except _ALTERED as error:
        raise zipfile.BadZipFile(f"{type(error).__name__}: {error}") from error


def _is_altered(error: OSError) -> bool:
    """Whether the storage is fine and what it was asked for is not: a place before a file's begin."""
    return type(error) is OSError and error.errno in (None, errno.EINVAL)
