"""Files that are there whole or not at all, in a folder or in a bucket."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, NamedTuple, Protocol


class Stamp(NamedTuple):
    """Changes whenever a file is written anew.

    Attributes:
        changed: when it was written, seconds since 1970, by the clock of the folder or bucket.
        token: the file's inode, or the object's ETag.
        size: bytes.
    """

    changed: float
    token: str
    size: int


class Files(Protocol):
    """A tree of small files under one root; paths are relative to it, with ``/``.

    Only regular files count: a pipe or a folder in the place of a file reads as missing.

    A reader sees a file's old or its new content, also after a crash. Once `write` or `create` has returned,
    every reader sees the new content.

    Attributes:
        uri: the root, as it is given to other processes.
        poll_seconds: how often to look for a change; a bucket bills every look.
        parallel: how many files are worth reading at once.

    Raises:
        StorageError: from every method, when the files are out of reach.
    """

    uri: str
    poll_seconds: float
    parallel: int

    def prove(self) -> None:
        """Check that files can be written and locked here, as far as that can be done without a trace."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def open(self, path: str) -> BinaryIO:
        """A file to read parts of; raises FileNotFoundError as `read` does."""
        ...

    def stamp(self, path: str) -> Stamp | None:
        """When a file was written; None when there is none."""
        ...

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write or replace a file; without ``durable`` a power cut may lose it."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that does not exist yet; of several callers at once one gets True."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file, if it is there."""
        ...

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove files, those of them that are there."""
        ...

    def tidy(self, path: str) -> None:
        """Remove a folder and its subfolders that hold no file, and what writers that were killed left."""
        ...

    def entries(self, path: str) -> dict[str, Stamp]:
        """Every file below, at any depth, by its path relative to ``path``, sorted."""
        ...

    def names(self, path: str) -> list[str]:
        """Names of the folders directly below, sorted."""
        ...

    def lock(self, path: str) -> AbstractContextManager[None]:
        """Wait for the lock of this name, and hold it; it ends with its holder."""
        ...


def to_json(values: Mapping[str, Any]) -> bytes:
    """A mapping as a JSON file; NaN and infinity are refused."""
    return (json.dumps(values, allow_nan=False) + "\n").encode()
