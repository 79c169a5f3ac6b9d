"""A lock in a bucket: an object that its holder renews, and that is free when it was not renewed in time."""

import contextlib
import json
import threading
import uuid
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tracking.errors import StorageError

if TYPE_CHECKING:
    from tracking.files.bucket import Bucket

SECONDS = 30.0


def entry(*, given_back: bool = False) -> bytes:
    """A lease from the moment when it is written on; its ETag is no other lease's."""
    return json.dumps({"lease": uuid.uuid4().hex, "seconds": 0 if given_back else SECONDS}).encode()


def ran_out(answer: Mapping[str, Any], content: bytes) -> bool:
    """Whether a lease was given back or not renewed in time, by the clock of the bucket alone."""
    try:
        seconds = float(json.loads(content)["seconds"])
    except (ValueError, KeyError, TypeError):
        seconds = SECONDS
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    # Both moments are whole seconds.
    return seconds == 0 or (now - answer["LastModified"]).total_seconds() > seconds + 1


class Lease:
    """Renews a lease that was taken, until it ends; one that was lost meanwhile is left alone.

    Args:
        bucket: where it lies.
        path: its object.
        owner: who took it, and no other taker; one who wrote and did not hear so finds the own name there.
        tag: ETag of what was written.
    """

    def __init__(self, bucket: "Bucket", path: str, owner: str, tag: str) -> None:
        self._bucket = bucket
        self._path = path
        self._owner = owner
        self._tag: str | None = tag
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Give the lease back; one that cannot be given back runs out."""
        self._ended.set()
        self._thread.join()
        self._put(given_back=True)

    def _renew(self) -> None:
        while not self._ended.wait(SECONDS / 3):
            self._put()

    def _put(self, *, given_back: bool = False) -> None:
        if self._tag is not None:
            with contextlib.suppress(StorageError):
                content = entry(given_back=given_back)
                self._tag = self._bucket.put_if(self._path, content, self._owner, IfMatch=self._tag)
