"""Which code made a number: commit, uncommitted changes, sources and versions.

No PyTorch: the command line reads this before it trains. The machine: `tracking.provenance.machine`.
"""

import hashlib
import importlib.metadata
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracking.addresses import secrets
from tracking.provenance import sources

PACKAGE = "iwae-sweeps"
# Beside the packages that travelled with a job: where they come from, as the submitter's checkout said it.
SUBMITTED_FILE = "submitted-code.json"

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "ray", "optuna", "mlflow", "pydantic")
_GIT_SECONDS = 20


def code(folder: Path | None = None) -> dict[str, Any]:
    """The code that runs, as plain JSON data.

    Args:
        folder: that holds the packages; None is that of this process's own.

    Returns:
        What ``origin`` says, ``sources`` (``sha256`` of all and of each of the ``files``), ``packages``
        (versions) and ``command``.

    Raises:
        RecordError: this process's packages do not come from one folder.
    """
    files = sources.of_this_process() if folder is None else sources.manifest(folder)
    return {
        **origin(folder),
        "sources": {"sha256": sources.digest(files), "files": dict(files)},
        "packages": {name: _version(name) for name in _PACKAGES},
        "command": shlex.join(secrets.command(sys.orig_argv)),
    }


def origin(folder: Path | None = None) -> dict[str, Any]:
    """Where the code comes from, as plain JSON data.

    Code that travelled with a job says what its submitter's checkout said.

    Args:
        folder: that holds the packages; None is that of this process's own.

    Returns:
        ``package_version``, ``commit``, ``dirty``, ``diff`` (uncommitted changes of the packages and of
        pyproject.toml against the commit, as a patch), ``masked`` (how many values in it looked like secrets
        and are ``***``) and ``untracked`` (names among the packages). Without git or outside a checkout,
        also where a checkout ignores the packages, ``commit``, ``dirty`` and ``diff`` are None and
        ``untracked`` is empty.
    """
    folder = folder or Path(__file__).resolve().parents[2]
    submitted = folder / SUBMITTED_FILE
    if submitted.is_file():
        values: dict[str, Any] = json.loads(submitted.read_text("utf-8"))
        return values
    # The rest of a repository is not ours. `./` is the folder, wherever in the checkout it is.
    own = ["--", *(f"./{name}" for name in (*sources.PACKAGES, "pyproject.toml"))]
    # An installed copy may be inside the checkout of another project, which does not track it.
    commit = _git(folder, "rev-parse", "HEAD") if _git(folder, "ls-files", *own) else None
    status = _git(folder, "status", "--porcelain", "--untracked-files=no", *own) if commit else None
    untracked = (
        _git(folder, "ls-files", "--others", "--exclude-standard", "--full-name", *own) if commit else None
    )
    names = (untracked or "").splitlines()
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff", *own) if commit else None
    shown, hidden = (None, 0) if diff is None else secrets.masked(diff)
    return {
        "package_version": _version(PACKAGE),
        "commit": commit.strip() if commit else None,
        "dirty": bool(status or names) if status is not None else None,
        "diff": shown,
        "masked": hidden,
        "untracked": names,
    }


def remarks(values: Mapping[str, Any]) -> list[str]:
    """Warnings about ``code`` for the user."""
    if not values.get("masked"):
        return []
    return [
        f"code: {values['masked']} values in the uncommitted changes look like secrets: they are *** in the"
        " record, and the recorded patch does not apply as it is"
    ]


def code_identity(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``code`` the numbers depend on, the patch as its SHA-256; for ``differences``."""
    kept = {name: values.get(name) for name in ("package_version", "commit", "dirty", "packages")}
    diff = values.get("diff")
    return {**kept, "diff": hashlib.sha256(diff.encode()).hexdigest() if diff else None}


def code_files(values: Mapping[str, Any]) -> Mapping[str, str]:
    """SHA-256 of each source file in ``code``; empty in the records of versions that did not note it."""
    files = _mapping(values.get("sources")).get("files")
    return _mapping(files)


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The entries that are not the same, under dotted paths: ``{path: [in a, in b]}``; None where absent."""
    changed: dict[str, list[Any]] = {}
    for name in [*a, *(name for name in b if name not in a)]:
        old, new = a.get(name), b.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            inner = differences(_mapping(old), _mapping(new))
            changed.update({f"{name}.{path}": pair for path, pair in inner.items()})
        elif old != new:
            changed[name] = [old, new]
    return changed


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None when there is no git, no checkout, or no answer."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
