"""Standard output and standard error that never end the work: what cannot be written is dropped.

A reader that went away (`2>&1 | tee log` and Ctrl-C, `| head -1`), a full disk, a terminal that was closed,
a stream that was never open, characters that its encoding lacks: each would be an exception in whichever
thread wrote last.
"""

import contextlib
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _NeverFails(io.FileIO):
    """A file descriptor to write to.

    Attributes:
        refusal: of the first write that failed; None while every write arrived.
    """

    refusal: OSError | None = None

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write, or drop what cannot be written."""
        try:
            # A descriptor may be set not to wait, by a program that shares the terminal.
            while (written := super().write(content)) is None:
                select.select([], [self.fileno()], [])
        except OSError as error:
            self.refusal = self.refusal or error
            return memoryview(content).nbytes
        return written


def never_fail() -> None:
    """Make this process's standard streams such; a stream that a caller put in their place stays."""
    for number in range(3):
        # A file opened later would get the number of a closed stream, and what is printed would go into it.
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(2, sys.stderr)


def refused_output() -> str | None:
    """Why standard output did not take everything; None when it did, or when its reader had enough."""
    with contextlib.suppress(ValueError):
        sys.stdout.flush()
    refusal = getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "refusal", None)
    if refusal is None or refusal.errno == errno.EPIPE:
        return None
    return str(refusal.strerror)


def _stream(number: int, before: TextIO | None) -> TextIO:
    buffer = io.BufferedWriter(_NeverFails(number, "w", closefd=False))
    if not isinstance(before, io.TextIOWrapper):
        return io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=True)
    errors = "backslashreplace" if before.errors in ("strict", "surrogateescape") else before.errors
    return io.TextIOWrapper(
        buffer,
        before.encoding,
        errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
