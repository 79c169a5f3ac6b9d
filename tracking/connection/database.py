"""Looks at a database before MLflow opens it, because MLflow makes missing tables and alters old ones."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from tracking.addresses import uris
from tracking.addresses.relocation import keep_together
from tracking.addresses.secrets import without_secrets_of
from tracking.errors import RecordError
from tracking.files.locks import file_lock
from tracking.mlflow.client import Client
from tracking.mlflow.schema import is_known, newest_revision

_LOCKED_SECONDS = 20.0
_TABLES = {"experiments", "runs", "alembic_version"}


def require_file(uri: str, create: bool) -> None:
    """Check that a ``sqlite:///`` address names an MLflow tracking store, made here if it may be.

    Raises:
        RecordError: there is none, it is no regular file, or it is another program's or another MLflow's.
    """
    path = uris.sqlite_path(uri)
    try:
        if not _is_file(path):
            if not create:
                raise _no_store(str(path))
            _make(path)
    except OSError as error:
        why = error.strerror or error
        raise RecordError(
            f"tracking URI: {path} is not allowed: must be a file to write in ({why})"
        ) from None
    read_only = f"file:{quote(str(path))}?mode=ro"
    engine = create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(read_only, uri=True, timeout=_LOCKED_SECONDS),
    )
    # A driver that was killed while it wrote: MLflow's first look takes back the half of it, a reader cannot.
    if not path.with_name(f"{path.name}-journal").exists():
        _look(engine, uri, create=False)


def require_server(uri: str, create: bool) -> None:
    """Check that a database server answers and has MLflow's tables; MLflow itself asks for 100 s.

    Raises:
        RecordError: it refuses, there are no tables and none may be made, or they are another MLflow's.
    """
    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ImportError as error:
        raise RecordError(
            f"tracking store {uris.shown(uri)}: needs the module {error.name}: install it, or name the driver"
            " there is, for example postgresql+psycopg2://"
        ) from None
    except (SQLAlchemyError, ValueError, TypeError) as error:  # the last two of what is no address
        raise _refused(uri, error) from None
    _look(engine, uri, create)


def _look(engine: Engine, uri: str, create: bool) -> None:
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            revision = _revision(connection) if tables >= _TABLES else None
    except ImportError as error:
        raise RecordError(f"tracking store {uris.shown(uri)}: needs the module {error.name}") from None
    except SQLAlchemyError as error:
        raise _refused(uri, error) from None
    if revision is None:
        if create:
            return
        if tables:
            raise RecordError(
                f"tracking store {uris.shown(uri)}: is another program's database (its tables:"
                f" {', '.join(sorted(tables)[:3])}): must be one that `sweeps run` or MLflow made"
            )
        raise _no_store(uris.shown(uri))
    if revision == newest_revision():
        return
    if is_known(revision):
        raise RecordError(
            f"tracking store {uris.shown(uri)}: was made by an older MLflow: copy it, then bring it"
            f" up to date with `mlflow db upgrade {uris.shown(uri)}`"
        )
    raise RecordError(f"tracking store {uris.shown(uri)}: was made by a newer MLflow: install that version")


def _revision(connection: Connection) -> str | None:
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _make(path: Path) -> None:
    with file_lock(path.with_name(f".{path.name}.lock")):
        if _is_file(path):
            return
        # Its tables take seconds to make. A process that is killed meanwhile leaves no half-made database.
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            Client(uris.sqlite_uri(temporary)).experiments()
            keep_together(temporary, path.parent)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _is_file(path: Path) -> bool:
    """Whether there is a database; a device or a pipe is none, and must not be replaced by one."""
    if path.exists() and not path.is_file():
        raise RecordError(
            f"tracking URI: {path} is not allowed: must be a regular file or a new one, and this is"
            " a folder, a device or a pipe"
        )
    return path.is_file() and path.stat().st_size > 0


def _no_store(where: str) -> RecordError:
    return RecordError(
        f"no tracking store at {where}: `sweeps run` makes one, `sweeps verify NAME --repair` makes it"
        " again from storage, --tracking-uri or MLFLOW_TRACKING_URI names another"
    )


def _refused(uri: str, error: Exception) -> RecordError:
    reason = " ".join(without_secrets_of(uri, str(getattr(error, "orig", None) or error)).split())
    return RecordError(f"tracking store {uris.shown(uri)}: {reason[:300]}")
