"""The sources of the three packages: where they are, which files there are, and the hash that names them.

A worker is sent the functions of this module by value, before it imports a package of ours: they need nothing
but the standard library.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

from tracking.errors import RecordError

PACKAGES = ("iwae", "tracking", "sweeps")
# What setuptools installs of the packages.
SUFFIXES = (".py", ".pyi", ".typed", ".yaml", ".html", ".css", ".js")
_SHOWN = 4


def root() -> Path:
    """The folder that holds the three packages of this process.

    Raises:
        RecordError: they do not come from one folder.
    """
    here = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        found = location(name)
        if found != here / name:
            raise RecordError(
                f"{name}: {found or 'no package of this name'} is not allowed: must be {here / name},"
                " beside the other packages: see PYTHONPATH and the folders on Python's path"
            )
    return here


def location(package: str) -> Path | None:
    """The folder that a package is, or would be, imported from; None where there is no such package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # of a module that was made by hand
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent


def manifest(folder: Path) -> dict[str, str]:
    """SHA-256 of each source file of the packages in a folder, by its path below the folder, sorted."""
    found = {}
    for name in PACKAGES:
        for path in (folder / name).rglob("*"):
            inside = path.relative_to(folder)
            hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            if path.suffix in SUFFIXES and not hidden and path.is_file():
                found[inside.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def digest(files: Mapping[str, str]) -> str:
    """The SHA-256 that names the sources in a manifest."""
    lines = "".join(f"{content}  {path}\n" for path, content in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def changed(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """The paths of the files that are not the same in two manifests, sorted."""
    return sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path))


def listed(paths: Iterable[str]) -> str:
    """Some paths for a message, the first ones by name."""
    names = list(paths)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@functools.cache
def of_this_process() -> Mapping[str, str]:
    """The manifest of the packages that this process runs, read once.

    Raises:
        RecordError: they do not come from one folder.
    """
    return manifest(root())
