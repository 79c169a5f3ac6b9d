"""A local tracking store that was copied or moved: its records follow it, nothing is written where it was.

MLflow notes absolute addresses: of each experiment, run and logged model where its files lie. In a copy of a
project they name the original. What lies beside the database is found beside it wherever it is: a command
that only reads looks there, one that writes changes the addresses first.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ROOT = "mlartifacts"
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
_BUSY_SECONDS = 30.0


def former_roots(database: Path, root: str) -> list[str]:
    """Where the store's own artifacts lay when the database was elsewhere; empty where it is at home.

    Args:
        database: an SQLite database of MLflow's.
        root: the ``file://`` address of its artifacts, where it is now.
    """
    query = "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%'"
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            found = [str(location).rstrip("/") for (location,) in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error:
        return []  # not MLflow's, or not readable: MLflow says what is wrong with it
    return [old for old in found if _path(old).name == _ROOT and not _same(_path(old), _path(root))]


@dataclass(frozen=True)
class Move:
    """Where things lie that a store names at its former places; nothing moved by default.

    Attributes:
        former: ``file://`` addresses of its artifacts, where it was.
        root: the same where it is now.
    """

    former: tuple[str, ...] = ()
    root: str = ""

    def artifact(self, uri: str) -> str:
        """Where an artifact's address lies now."""
        for old in self.former:
            if uri == old or uri.startswith(f"{old}/"):
                return self.root + uri[len(old) :]
        return uri

    def storage(self, place: str) -> str:
        """Where a sweep's storage lies now: beside the database if it was and is; else where it was."""
        for old in self.former:
            before, now = _path(old).parent, _path(self.root).parent
            if Path(place).is_relative_to(before):
                moved = now / Path(place).relative_to(before)
                return str(moved) if moved.is_dir() else place
        return place


def bring_home(database: Path, move: Move) -> None:
    """Let every address below a former root, and the place of every sweep beside it, follow the database.

    A database that cannot be written stays as it is; its readers look at the new place.

    Args:
        database: an SQLite database of MLflow's.
        move: where its artifacts were, and where they are.
    """
    if not move.former:
        return
    connection = sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for old in move.former:
            for table, column in _ADDRESSES:
                _replace(connection, table, column, old, move.root)
        _replace_storage(connection, move)
        connection.execute("COMMIT")
    except sqlite3.Error:
        pass  # an archive that may only be read
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


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one place, also by another spelling or where nothing is there yet."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False
