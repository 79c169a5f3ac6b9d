"""A lock in a bucket: an object that its holder renews, and that is free when it was not renewed in time."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable
from datetime import datetime

from tracking.errors import StorageError

SECONDS = 30.0


def entry(*, given_back: bool = False) -> bytes:
    """A lease from the moment when it is written on; its ETag is no other lease's."""
    return json.dumps({"lease": uuid.uuid4().hex, "seconds": 0 if given_back else SECONDS}).encode()


def ran_out(content: bytes, written: datetime, now: datetime) -> bool:
    """Whether a lease was given back or not renewed in time.

    Args:
        content: of the lease's object.
        written: when the object was written, by the bucket's clock, in whole seconds.
        now: the time, by the same clock, in whole seconds.
    """
    try:
        seconds = float(json.loads(content)["seconds"])
    except (ValueError, KeyError, TypeError):
        seconds = SECONDS
    # One second more: both moments are rounded.
    return seconds == 0 or (now - written).total_seconds() > seconds + 1


class Lease:
    """Renews a lease that was taken, until it ends; one that was lost meanwhile is left alone.

    Args:
        renew: writes a new content over the object with this ETag and returns the new ETag, or None when the
            object has another ETag: the lease was lost. It raises StorageError when it cannot write.
        tag: ETag of what was written when the lease was taken.
    """

    def __init__(self, renew: Callable[[bytes, str], str | None], tag: str) -> None:
        self._renew = renew
        self._tag: str | None = tag
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Give the lease back; one that cannot be given back runs out."""
        self._ended.set()
        self._thread.join()
        self._put(given_back=True)

    def _keep(self) -> None:
        while not self._ended.wait(SECONDS / 3):
            self._put()

    def _put(self, *, given_back: bool = False) -> None:
        if self._tag is not None:
            with contextlib.suppress(StorageError):
                self._tag = self._renew(entry(given_back=given_back), self._tag)
