"""Calls of MLflow: one that fails is a `RecordError` in one line, a locked database is waited for."""

import errno
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tracking.addresses.secrets import without_secrets_of
from tracking.addresses.uris import is_server, shown
from tracking.errors import AwayError, RecordError, RefusedError

SERVER_THREADS = 8
_LOCKED_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
_FAILURES = (MlflowException, SQLAlchemyError, OSError)
_STATUS = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
# What a store answers that will not say otherwise by itself. A server's inner error may pass, and so may what
# its database says of a disk that is full or of a lock.
_REFUSALS = (
    "BAD_REQUEST",
    "ENDPOINT_NOT_FOUND",
    "FEATURE_DISABLED",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "MALFORMED_REQUEST",
    "NOT_FOUND",
    "NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
)
_REFUSED_BY_DATABASE = ("DataError", "DataRightTruncation", "ProgrammingError", "StatementError")
_PASSING_STATUS = (408, 425, 429)
_REFUSING_DISK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)
_AUTOFLUSH = re.compile(r"\(raised as a result of [^)]*\)")
S = TypeVar("S")
T = TypeVar("T")


class Calls:
    """Calls of one tracking store.

    Args:
        uri: the tracking store.

    Attributes:
        uri: to be shown, without a password.
        connection_uri: what MLflow is given; may hold a password.
        mlflow: MLflow's own client.

    Raises:
        RefusedError: from every method, when the store refuses.
        AwayError: from every method, when it does not answer.
    """

    def __init__(self, uri: str) -> None:
        self.uri = shown(uri)
        self.connection_uri = uri
        self.mlflow: MlflowClient = self.call(MlflowClient, uri)

    @property
    def at_once(self) -> int:
        """How many calls are worth making at the same time: a server waits for disks and networks."""
        return SERVER_THREADS if is_server(self.uri) else 1

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call MLflow; wait while another process holds the lock of an SQLite database."""
        for wait in (*_LOCKED_WAITS, None):
            try:
                return function(*arguments, **named)
            except _FAILURES as error:
                if "database is locked" in str(error) and wait is not None:
                    time.sleep(wait)
                    continue
                kind = RefusedError if _refuses(error) else AwayError
                raise kind(f"tracking store {self.uri}: {self._reason(error)}") from error
        raise AssertionError

    def _reason(self, error: Exception) -> str:
        if _http_status(error) == 401:
            return (
                "it refuses this user and password, or their absence: set MLFLOW_TRACKING_USERNAME and"
                " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN to the token of a `sweeps ui`"
            )
        # Of a database's words its own: not what SQLAlchemy says of its session, nor the statement.
        text = _AUTOFLUSH.sub("", str(error)).partition("[SQL: ")[0]
        reason = " ".join(without_secrets_of(self.connection_uri, text).split())[:300]
        if _http_status(error) == 403:
            return f"{reason} (as the user that MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD name)"
        return reason

    def each(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """The function of every item, several at once on a server; the first error is raised."""
        if self.at_once == 1 or len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.at_once, thread_name_prefix="mlflow") as pool:
            return list(pool.map(function, items))

    @staticmethod
    def pages(page: Callable[[str | None], Any]) -> Iterable[Any]:
        """Everything that an answer in pages holds; ``page`` asks for the one with this token."""
        token: str | None = None
        while True:
            found = page(token)
            yield from found
            if not (token := found.token):
                return


def _http_status(error: Exception) -> int | None:
    """What a server answered: artifacts come with its response, everything else with MLflow's name of it."""
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    return status or _STATUS.get(getattr(error, "error_code", ""))


def _refuses(error: Exception) -> bool:
    """Whether the same question will get the same answer."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _REFUSING_DISK
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return 400 <= status < 500 and status not in _PASSING_STATUS
    text = str(error)
    if "sqlalche.me" in text and getattr(error, "error_code", "") == "BAD_REQUEST":
        return any(kind in text for kind in _REFUSED_BY_DATABASE)  # others are lost connections and races
    return getattr(error, "error_code", "") in _REFUSALS


def quoted(value: str) -> str:
    """A value as it stands in a condition of MLflow's searches."""
    if "'" in value:
        raise RecordError(f"{value!r} is not allowed: must be a name without quotes")
    return value
