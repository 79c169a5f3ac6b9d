"""Where storage is: each way to write a place becomes one address, and two addresses are compared."""

import errno
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracking.addresses import secrets
from tracking.errors import RecordError
from tracking.files.bucket import Bucket
from tracking.files.files import Files
from tracking.files.folder import Folder

_NAME_BYTES = 255  # of a file or folder, on every file system in use
_MUST_BE = "must be a folder, file:// or s3://bucket/prefix"


def open_storage(uri: str) -> Files:
    """The files that a storage URI names: a folder (also as ``file://``) or ``s3://bucket/prefix``.

    A folder is made absolute, without ``..`` and symbolic links, so that its address means one place, to
    every process and in the tracking store.

    Raises:
        RecordError: the URI has another scheme, or names something other than a folder.
    """
    scheme = urlsplit(uri).scheme if uri.lower().startswith(("file:", "s3:")) else ""
    if scheme == "file":
        return Folder(_folder(_path_of(uri), uri))
    if scheme == "s3":
        return Bucket(uri)
    if "://" in uri:
        raise RecordError(f"storage: {secrets.address(uri)!r} is not allowed: {_MUST_BE}")
    return Folder(_folder(uri, uri))


def same_place(one: str, other: str) -> bool:
    """Whether two storage URIs name the same place, as far as this machine can tell."""
    try:
        first, second = open_storage(one), open_storage(other)
    except RecordError:
        return one == other
    if isinstance(first, Bucket) and isinstance(second, Bucket):
        return first.place == second.place
    if first.uri == second.uri:
        return True
    try:  # one folder that is mounted twice
        return Path(first.uri).samefile(second.uri)
    except OSError:
        return False


def _path_of(uri: str) -> str:
    """The path of a ``file:`` URI, its ``%41`` and the like replaced."""
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise RecordError(
            f"storage: {secrets.address(uri)!r} is not allowed: must be file:///absolute/folder, with three"
            " slashes"
        )
    if parts.query or parts.fragment:
        raise RecordError(
            f"storage: {secrets.address(uri)!r} is not allowed: must have %3F for '?' and %23 for '#'"
        )
    return unquote(parts.path)


def _folder(text: str, uri: str) -> Path:
    try:
        path = Path(text).expanduser().resolve()
        if any(len(part.encode()) > _NAME_BYTES for part in path.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        # What cannot be looked at now may be there again later: its reader and writer says what is wrong.
        is_other = path.exists() and not path.is_dir()
    except (RuntimeError, ValueError) as error:  # no such user, a circle of links, bytes that are no text
        raise RecordError(f"storage: {secrets.address(uri)!r} is not allowed: {_MUST_BE} ({error})") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise RecordError(
                f"storage: {secrets.address(uri)[:100]!r} is not allowed: {_MUST_BE} ({error.strerror})"
            ) from None
        return path
    if is_other:
        raise RecordError(
            f"storage: {secrets.address(uri)!r} is not allowed: {_MUST_BE}, and {path} is no folder"
        )
    return path
