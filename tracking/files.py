"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, and whoever comes after a crash, sees the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_json(path: Path, values: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write a mapping as JSON, atomically."""
    write_atomically(path, (json.dumps(values, allow_nan=False) + "\n").encode(), durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None when there is no such file or it is torn."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return values
