"""Opens a tracking store: a local database is made once and whole, a server that is away is told at once."""

import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from iwae.errors import RecordError
from tracking import uris
from tracking.client import Client
from tracking.locks import file_lock
from tracking.relocation import bring_home, followed

_log = logging.getLogger(__name__)
_PROBE_SECONDS = 3.0
_DATABASES = ("postgresql", "mysql", "mssql")


def connect(uri: str, create: bool = False) -> Client:
    """A client of the store, after it answered.

    Args:
        uri: as ``resolve_tracking_uri`` gives it.
        create: make a local database that does not exist yet.

    Raises:
        RecordError: there is no such store, or it does not answer.
    """
    if uris.is_server(uri):
        _probe(uri)
    elif uri.startswith("sqlite"):
        _require_database(uris.sqlite_path(uri), create)
    elif uri.startswith(_DATABASES):
        _ask_database(uri)
    client = Client(uri, _followed(uri))
    client.experiments()
    return client


def _followed(uri: str) -> Callable[[str], str]:
    """Where the addresses in the store lie now; those of a local database follow it."""
    if not uri.startswith("sqlite"):
        return str
    root = uris.artifact_root(uri)
    former = bring_home(uris.sqlite_path(uri), root)
    for old in former:
        _log.warning("%s was made elsewhere: its artifacts at %s are now at %s", uris.shown(uri), old, root)
    return partial(followed, former=former, root=root)


def _require_database(path: Path, create: bool) -> None:
    if _exists(path):
        return
    if not create:
        raise RecordError(
            f"no tracking store at {path}: `sweeps run` makes one, `sweeps verify NAME --repair` makes it"
            " again from storage, --tracking-uri or MLFLOW_TRACKING_URI names another"
        )
    with file_lock(path.with_name(f".{path.name}.lock")):
        if _exists(path):
            return
        # Its tables take seconds to make. Whoever is killed meanwhile leaves no half database behind.
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            Client(f"sqlite:///{temporary}").experiments()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _ask_database(uri: str) -> None:
    """Raise at once when it refuses: MLflow itself asks ten times, for 100 s."""
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        create_engine(uri, poolclass=NullPool).connect().close()
    except ImportError as error:
        raise RecordError(
            f"tracking store {uris.shown(uri)}: needs the module {error.name}: install it, or name the driver"
            " there is, for example postgresql+psycopg2://"
        ) from None
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise RecordError(f"tracking store {uris.shown(uri)}: {reason[:300]}") from None


def _probe(uri: str) -> None:
    """Raise at once when nobody listens: MLflow itself tries for long."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except OSError as error:
        raise RecordError(f"no tracking server at {uri}: {error.strerror or error}") from None
