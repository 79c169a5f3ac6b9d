"""The sweeps of a local tracking store, read from its database without MLflow, whose import takes seconds."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BUSY_SECONDS = 20.0
_PARENTS = """
    SELECT runs.run_uuid, runs.name, runs.status, runs.start_time
    FROM runs
    JOIN experiments ON experiments.experiment_id = runs.experiment_id
    JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'sweeps.kind' AND tags.value = 'sweep'
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    ORDER BY runs.start_time, runs.run_uuid
"""
_TAGS = "SELECT key, value FROM tags WHERE run_uuid = ?"


class Parent(NamedTuple):
    """The run of a sweep, open claims too; ``start`` in milliseconds since 1970."""

    id: str
    name: str
    status: str
    start: int
    tags: dict[str, str]


def can_be_read(database: Path) -> bool:
    """Whether the database answers; where it does not, MLflow says why, or mends what a crash left."""
    try:
        parents(database)
    except sqlite3.Error:
        return False
    return not database.with_name(f"{database.name}-journal").exists()


def parents(database: Path) -> list[Parent]:
    """The runs of sweeps that were not deleted, oldest first.

    Raises:
        sqlite3.Error: there is no such database, or it is not MLflow's.
    """
    with _opened(database) as connection:
        return [
            Parent(run_id, name, status, start, dict(connection.execute(_TAGS, (run_id,))))
            for run_id, name, status, start in connection.execute(_PARENTS).fetchall()
        ]


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    address = f"{database.as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
        yield connection
