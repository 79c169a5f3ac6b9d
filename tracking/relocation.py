"""A local tracking store that was copied or moved: its records follow it, nothing is written where it was.

MLflow notes absolute addresses: of each experiment, run and logged model where its files lie. In a copy of a
project they name the original. What lies beside the database is found beside it wherever it is.
"""

import sqlite3
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


def bring_home(database: Path, root: str) -> list[str]:
    """Let every address below a former root, and the place of every sweep beside it, follow the database.

    Args:
        database: an SQLite database of MLflow's.
        root: the ``file://`` address of its artifacts, where it is now.

    Returns:
        The former roots; also where the database cannot be written, whose readers look at the new place.
    """
    former = former_roots(database, root)
    if not former:
        return []
    connection = sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for old in former:
            for table, column in _ADDRESSES:
                _replace(connection, table, column, old, root)
            _replace_storage(connection, _path(old).parent, _path(root).parent)
        connection.execute("COMMIT")
    except sqlite3.Error:
        pass  # an archive that may only be read
    finally:
        connection.close()
    return former


def followed(uri: str, former: list[str], root: str) -> str:
    """An artifact's address where the database is now."""
    for old in former:
        if uri == old or uri.startswith(f"{old}/"):
            return root + uri[len(old) :]
    return uri


def _replace(connection: sqlite3.Connection, table: str, column: str, old: str, new: str) -> None:
    connection.execute(
        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
        f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
        (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
    )


def _replace_storage(connection: sqlite3.Connection, old: Path, new: Path) -> None:
    """Sweeps whose storage lay beside the database and lies beside it now; others are where they were."""
    query = "SELECT DISTINCT value FROM tags WHERE key = 'sweeps.storage'"
    for (value,) in connection.execute(query).fetchall():
        path = Path(value)
        if path.is_relative_to(old) and (moved := new / path.relative_to(old)).is_dir():
            change = "UPDATE tags SET value = ? WHERE key = 'sweeps.storage' AND value = ?"
            connection.execute(change, (str(moved), value))


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one place, also by another spelling or where nothing is there yet."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False
