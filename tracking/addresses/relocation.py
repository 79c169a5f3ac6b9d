"""A local tracking store that was copied or moved: its records follow it, nothing is written where it was.

MLflow notes absolute addresses: where the files of each experiment, run and logged model are. In a copy
of a project they name the original. What was beside the database is looked for beside it, wherever it is now:
a command that only reads looks there, one that writes changes the addresses first.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracking.errors import RecordError

_ROOT = "mlartifacts"
_MLFLOW_ROOT = "mlruns"  # where MLflow itself puts an experiment's files: ``mlruns/<id>``
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
_BUSY_SECONDS = 30.0


def former_roots(database: Path, root: str) -> dict[str, str]:
    """Where artifacts were when the database was elsewhere, and where they are; empty if it did not move.

    Args:
        database: an SQLite database of MLflow's.
        root: the ``file://`` address of its artifacts, where it is now.
    """
    query = "SELECT DISTINCT artifact_location FROM experiments"
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            found = [str(location).rstrip("/") for (location,) in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error:
        return {}  # not MLflow's, or not readable: MLflow says what is wrong with it
    own_first = sorted(found, key=lambda old: _path(old).name != _ROOT)
    local = [old for old in own_first if old.startswith(("file://", "/"))]
    homes = {_home(old) for old in local if _path(old).name == _ROOT}
    moved = {old: _now(old, root, homes) for old in local}
    return {old: new for old, new in moved.items() if new is not None and not _same(_path(old), _path(new))}


def _now(location: str, root: str, homes: Collection[Path]) -> str | None:
    """Where the files of an experiment are now; None where they are elsewhere by choice.

    Args:
        location: where they were.
        root: of the store's own artifacts, now.
        homes: where the database was.
    """
    path = _path(location)
    if path.name == _ROOT:
        return root
    beside = _path(root).parent / _MLFLOW_ROOT / path.name
    # MLflow's own folder is where its process was: it follows the database if it was, or is, beside it.
    if path.parent.name != _MLFLOW_ROOT or not (_home(location) in homes or beside.is_dir()):
        return None
    return beside.as_uri() if location.startswith("file:") else str(beside)


def keep_together(database: Path, home: Path) -> None:
    """Let MLflow's first experiment of a new database have its files beside it, wherever the process is."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        change = "UPDATE experiments SET artifact_location = ? WHERE name = 'Default'"
        connection.execute(change, (str(home / _MLFLOW_ROOT / "0"),))


@dataclass(frozen=True)
class Move:
    """Where things are that a store names at their former places; nothing moved by default.

    Attributes:
        roots: of artifacts, where they were and where they are; the store's own first.
    """

    roots: Mapping[str, str] = field(default_factory=dict)

    def artifact(self, uri: str) -> str:
        """Where an artifact is now."""
        for old, new in self.roots.items():
            if uri == old or uri.startswith(f"{old}/"):
                return new + uri[len(old) :]
        return uri

    def storage(self, place: str) -> str:
        """Where a sweep's storage is now: beside the database if it was and is; else where it was."""
        for old, new in self.roots.items():
            if Path(place).is_relative_to(_home(old)):
                moved = _home(new) / Path(place).relative_to(_home(old))
                return str(moved) if moved.is_dir() else place
        return place


def bring_home(database: Path, move: Move) -> None:
    """Let every address below a former root, and the place of every sweep beside it, follow the database.

    A database that cannot be written stays as it is; its readers look at the new place.

    Args:
        database: an SQLite database of MLflow's.
        move: where its artifacts were, and where they are.

    Raises:
        RecordError: another program keeps it from being written.
    """
    if not move.roots:
        return
    connection = sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for old, new in move.roots.items():
            for table, column in _ADDRESSES:
                _replace(connection, table, column, old, new)
        _replace_storage(connection, move)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_READONLY:  # an archive is only looked at
            what = f"tracking store {database}: it was moved, and its addresses cannot be changed"
            raise RecordError(f"{what}: {error}") from None
    finally:
        connection.close()


def _replace(connection: sqlite3.Connection, table: str, column: str, old: str, new: str) -> None:
    connection.execute(
        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
        f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
        (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
    )


def _replace_storage(connection: sqlite3.Connection, move: Move) -> None:
    query = "SELECT DISTINCT value FROM tags WHERE key = 'sweeps.storage'"
    for (value,) in connection.execute(query).fetchall():
        change = "UPDATE tags SET value = ? WHERE key = 'sweeps.storage' AND value = ?"
        connection.execute(change, (move.storage(value), value))


def _home(location: str) -> Path:
    """The folder of the database whose experiment has its files there."""
    path = _path(location)
    return path.parent if path.name == _ROOT else path.parent.parent


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one place, also by another spelling or where nothing is there yet."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False
