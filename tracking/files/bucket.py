"""Files in an S3 bucket, of Amazon or of another service with conditional writes."""

import contextlib
import io
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from tracking.addresses import secrets
from tracking.errors import RecordError, StorageError
from tracking.files.files import Stamp
from tracking.files.lease import Lease, entry, ran_out
from tracking.files.ranges import in_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError

# Of a larger object its end is read first: a zip's directory and its smallest members are there.
TAIL_BYTES = 64 * 1024
_MISSING = ("NoSuchKey", "404")
_REFUSED = ("PreconditionFailed", "412")
_CONFLICT = ("ConditionalRequestConflict", "409")
_EMPTY = ("InvalidRange", "416")  # what S3 answers when the end of an empty object is asked for
_WRITER = "writer"
_PAUSE_SECONDS = 0.2
_TRIES = 5  # of a write that came at once with another: S3 asks to try again
_TOGETHER = 1000  # objects that one request deletes


class Bucket:
    """The objects below a prefix of a bucket.

    Credentials, region and endpoint come from the environment, as boto3 reads them (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL`` ...), never from the URI, which is recorded.

    Args:
        uri: ``s3://bucket/prefix``, optionally with ``?endpoint_override=http://host:port``.

    Raises:
        RecordError: the URI names no bucket or holds credentials, or boto3 is not installed.
    """

    poll_seconds = 3.0
    parallel = 16

    def __init__(self, uri: str) -> None:
        if find_spec("boto3") is None:
            raise RecordError("storage: s3:// needs boto3: pip install 'iwae-sweeps[s3]'")
        parts = urlsplit(uri)
        if not parts.netloc or ":" in parts.netloc or "@" in uri:
            raise RecordError(
                f"storage: {secrets.address(uri)!r} is not allowed: must be s3://bucket/prefix, with the"
                " credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if parts.fragment:
            raise RecordError(f"storage: {uri!r} is not allowed: must be s3://bucket/prefix without '#'")
        query = parse_qs(parts.query, keep_blank_values=True)
        if unknown := set(query) - {"endpoint_override"}:
            raise RecordError(
                f"storage: {', '.join(sorted(unknown))} is not allowed: of options only endpoint_override is"
                " known; credentials must be in the environment"
            )
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/")
        self._endpoint = query.get("endpoint_override", [None])[0]
        self.uri = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        if parts.query:
            self.uri += f"?{parts.query}"
        self._made: Any = None
        self._making = threading.Lock()

    @property
    def place(self) -> tuple[str, str, str]:
        """Endpoint, bucket and prefix: the same for every way to write them."""
        variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        default = next((os.environ[name] for name in variables if os.environ.get(name)), "")
        return (self._endpoint or default).rstrip("/"), self._bucket, self._prefix

    def prove(self) -> None:
        """Nothing to check: a lock in a bucket is an object like others."""

    def read(self, path: str) -> bytes:
        """The content of an object."""
        with self._told(path):
            content: bytes = self._client.get_object(**self._at(path))["Body"].read()
        return content

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of, by ranges, its end first."""
        from botocore.exceptions import ClientError

        with self._told(path):
            try:
                answer = self._client.get_object(**self._at(path), Range=f"bytes=-{TAIL_BYTES}")
            except ClientError as error:
                if _code(error) in _EMPTY:
                    return io.BytesIO()
                raise
            tail = answer["Body"].read()
            size = int(answer.get("ContentRange", f"/{len(tail)}").rpartition("/")[2])
        if size == len(tail):
            return io.BytesIO(tail)
        return in_parts(lambda first, last: self._range(path, first, last), size, tail)

    def stamp(self, path: str) -> Stamp | None:
        """When an object was written; None when there is none."""
        try:
            with self._told(path):
                return _stamp(self._client.head_object(**self._at(path)), "ContentLength")
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write or replace an object; S3 makes it visible whole, and durable."""
        with self._told(path):
            self._client.put_object(**self._at(path), Body=content)

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that is not there yet."""
        return self.put_if(path, content, IfNoneMatch="*") is not None

    def delete(self, path: str) -> None:
        """Remove an object."""
        with self._told(path):
            self._client.delete_object(**self._at(path))

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove objects, many with each request."""
        keys = [{"Key": self._key(path)} for path in paths]
        with self._told(""):
            for first in range(0, len(keys), _TOGETHER):
                some = {"Objects": keys[first : first + _TOGETHER], "Quiet": True}
                self._client.delete_objects(Bucket=self._bucket, Delete=some)

    def tidy(self, path: str) -> None:
        """A bucket has no folders, and no half objects."""

    def entries(self, path: str) -> dict[str, Stamp]:
        """Every object below, at any depth."""
        prefix = self._key(path).rstrip("/") + "/"
        return {
            entry["Key"][len(prefix) :]: _stamp(entry, "Size")
            for page in self._pages(path, Prefix=prefix)
            for entry in page.get("Contents", ())
        }

    def names(self, path: str) -> list[str]:
        """Names of what looks like folders directly below."""
        prefix = f"{self._key(path)}/".lstrip("/")
        pages = self._pages(path, Prefix=prefix, Delimiter="/")
        return [e["Prefix"][len(prefix) : -1] for page in pages for e in page.get("CommonPrefixes", ())]

    @contextlib.contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """A lease: an object that its holder renews; one that is not renewed is taken over."""
        owner = uuid.uuid4().hex
        while (tag := self._take(path, owner)) is None:
            time.sleep(self.poll_seconds)
        lease = Lease(lambda content, tag: self.put_if(path, content, owner, IfMatch=tag), tag)
        try:
            yield
        finally:
            lease.end()

    def _take(self, path: str, owner: str) -> str | None:
        try:
            with self._told(path):
                answer = self._client.get_object(**self._at(path))
                content = answer["Body"].read()
        except FileNotFoundError:
            return self.put_if(path, entry(), owner, IfNoneMatch="*")
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        if not ran_out(content, answer["LastModified"], now):
            return None
        # All who see the same old lease ask with the same ETag: one of them gets it.
        return self.put_if(path, entry(), owner, IfMatch=answer["ETag"])

    def put_if(self, path: str, content: bytes, writer: str = "", **condition: str) -> str | None:
        """Write an object if ``IfNoneMatch`` or ``IfMatch`` holds.

        A write whose answer was lost is sent again, and the second one is refused because of the first. So a
        refusal counts only when another writer wrote the object.

        Args:
            path: the object.
            content: its bytes.
            writer: name of the writer; by default one that only this call has.
            condition: one of the two.

        Returns:
            The object's ETag, None when the condition does not hold.
        """
        from botocore.exceptions import ClientError

        writer = writer or uuid.uuid4().hex
        with self._told(path):
            for tries_left in reversed(range(_TRIES)):
                try:
                    answer = self._client.put_object(
                        **self._at(path), Body=content, Metadata={_WRITER: writer}, **condition
                    )
                    return str(answer["ETag"])
                except ClientError as error:
                    code = _code(error)
                    if code in _MISSING:
                        return None  # no object, so none with this ETag
                    if code not in (*_REFUSED, *_CONFLICT):
                        raise
                    tag = self._own(path, writer)
                    if tag not in (None, condition.get("IfMatch")):
                        return tag
                    if code in _REFUSED:
                        return None
                    if not tries_left:
                        raise
                    time.sleep(_PAUSE_SECONDS)
        raise AssertionError

    def _own(self, path: str, writer: str) -> str | None:
        """The ETag of an object, if this writer wrote it."""
        try:
            with self._told(path):
                answer = self._client.head_object(**self._at(path))
        except FileNotFoundError:
            return None
        return str(answer["ETag"]) if answer["Metadata"].get(_WRITER) == writer else None

    def _range(self, path: str, first: int, last: int) -> bytes:
        with self._told(path):
            content: bytes = self._client.get_object(**self._at(path), Range=f"bytes={first}-{last - 1}")[
                "Body"
            ].read()
        return content

    def _pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        with self._told(path):
            yield from self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **query)

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._prefix, path) if part)

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._key(path)}

    @property
    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = _connect(self._endpoint)
        return self._made

    @contextlib.contextmanager
    def _told(self, path: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = _code(error)
            if code in _MISSING:
                raise FileNotFoundError(path) from None
            text = error.response["Error"].get("Message", "")
            raise StorageError(f"storage {self.uri}: {code}: {text}") from error
        except BotoCoreError as error:
            raise StorageError(f"storage {self.uri}: {error}") from error


def _stamp(answer: "Mapping[str, Any]", size: str) -> Stamp:
    return Stamp(answer["LastModified"].timestamp(), answer["ETag"].strip('"'), answer[size])


def _connect(endpoint: str | None) -> Any:
    import boto3
    from botocore.config import Config

    # A write that S3 refuses for a moment is tried again by the library.
    config = Config(
        retries={"max_attempts": 6, "mode": "standard"},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=Bucket.parallel * 2,
    )
    return boto3.client("s3", endpoint_url=endpoint, config=config)


def _code(error: "ClientError") -> str:
    return str(error.response["Error"]["Code"])
