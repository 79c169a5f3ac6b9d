"""A file of which only parts are fetched."""

import io
from collections.abc import Callable
from typing import Any, BinaryIO


def in_parts(fetch: Callable[[int, int], bytes], size: int, tail: bytes) -> BinaryIO:
    """A file of which parts are fetched when they are read.

    Args:
        fetch: the bytes from a first position up to, not including, a last one.
        size: bytes of the whole.
        tail: its end, already fetched.
    """
    return io.BufferedReader(_Ranges(fetch, size, tail))


class _Ranges(io.RawIOBase):
    def __init__(self, fetch: Callable[[int, int], bytes], size: int, tail: bytes) -> None:
        self._fetch = fetch
        self._size = size
        self._tail = tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek value {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        first = self._position
        last = min(first + len(buffer), self._size)
        if first >= last:
            return 0
        begin = self._size - len(self._tail)
        content = self._tail[first - begin : last - begin] if first >= begin else self._fetch(first, last)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
