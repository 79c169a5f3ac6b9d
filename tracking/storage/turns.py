"""Processes take turns at the runs of a sweep, and each learns whether another had a turn since its last."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from tracking.errors import RecordError
from tracking.records.source import Source

LOCK = "sync.lock"
_LAST = "sync.json"
_LOOK_SECONDS = 5.0


class Turn:
    """A turn at the runs of one sweep.

    Args:
        storage: the sweep; None when it is not in storage: then no other process writes its runs.
        mark: of the process, unlike that of any other.
        store: the address of the tracking store that it writes to.

    Attributes:
        again: whether the turn before was this process's own: what it remembers of MLflow is still so.
    """

    def __init__(self, storage: Source[object] | None, mark: str, store: str) -> None:
        self._storage = storage
        self._mark = mark
        self._looked = time.monotonic()
        self.again = self._is_mine()
        if storage is not None and not self.again:
            # Before anything is written to MLflow: whatever becomes of this turn, the others look anew.
            storage.write_json(_LAST, {"mark": mark, "store": store})

    def check(self) -> None:
        """Look now and then whether the turn is still this process's own.

        A process that stood still, or was cut off, for so long that its lock was given to another one must
        not go on where it was.

        Raises:
            RecordError: another process had a turn meanwhile.
        """
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if self._storage is not None and not self._is_mine():
            raise RecordError(f"another process records {self._storage.name} meanwhile: looking anew")

    def _is_mine(self) -> bool:
        if self._storage is None:
            return True
        last = self._storage.read_json(_LAST)
        return last is not None and last.get("mark") == self._mark


def last_store(storage: Source[object]) -> str | None:
    """The tracking store that the last turn wrote to; None where that is not noted."""
    last = storage.read_json(_LAST)
    return None if last is None or "store" not in last else str(last["store"])


def alone(storage: Source[object]) -> AbstractContextManager[None]:
    """Wait until no other process writes the runs of the sweep, and hold them off."""
    return storage.lock(LOCK) if storage.exists else nullcontext()


@contextmanager
def turn(storage: Source[object], mark: str, store: str) -> Iterator[Turn]:
    """Be `alone`, and bring the runs of the sweep's trials up to date from what is remembered of them."""
    if not storage.exists:
        yield Turn(None, mark, store)
        return
    with storage.lock(LOCK):
        if not storage.exists or storage.is_half_deleted:
            raise RecordError(f"{storage.name} was deleted meanwhile")
        yield Turn(storage, mark, store)
