"""Paths in the environment and in a spec, made absolute: a worker runs in a folder of its own."""

import copy
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

# Files and folders that a worker, or a library in it, finds by its environment.
PATH_VARIABLES = (
    *("IWAE_DATA_DIR", "TMPDIR", "HOME", "XDG_CACHE_HOME", "TORCH_HOME", "TRITON_CACHE_DIR"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("RAY_TMPDIR", "RAY_AUTH_TOKEN_PATH", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"),
)


def make_environment_absolute(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make every path of `PATH_VARIABLES` absolute, as seen from the current folder."""
    for name in PATH_VARIABLES:
        path = Path(environment.get(name) or "/").expanduser()
        if not path.is_absolute():
            environment[name] = str(path.resolve())  # without "..": the path of a socket has a length limit


def absolute(path: str) -> str:
    """``path`` as seen from the current folder; ``~`` is the home folder."""
    return str(Path(path).expanduser().absolute())


def with_data_found(document: Mapping[str, Any], *, here: bool = True, begun: bool = False) -> dict[str, Any]:
    """A spec with absolute paths, and with the order in which the images of ``npz`` files are read.

    Args:
        document: plain data, not checked yet.
        here: make paths absolute, as seen from the current folder.
        begun: the sweep has begun: where it gives no order, it keeps the order of the file.

    Returns:
        The document with absolute paths, and with ``order: shuffled`` where data are ``npz`` and it says
        no order. Malformed parts stay as they are, for the checks to refuse.
    """
    found = copy.deepcopy(dict(document))
    base, search = found.get("base"), found.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    entries = space if isinstance(space, dict) else {}
    for data in (base.get("data") if isinstance(base, dict) else None, *_options(entries.get("data"))):
        if isinstance(data, dict):
            if data.get("name") == "npz" and not begun:
                data.setdefault("order", "shuffled")
            if here:
                _make_absolute(data, "path")
    if here:
        _make_absolute(entries, "data.path")
    return found


def _make_absolute(owner: dict[str, Any], name: str) -> None:
    """A path, or each of ``{grid: [path, ...]}``."""
    entry = owner.get(name)
    if isinstance(entry, str):
        owner[name] = absolute(entry)
    options = _options(entry)
    options[:] = [absolute(option) if isinstance(option, str) else option for option in options]


def _options(entry: Any) -> list[Any]:
    if isinstance(entry, dict):
        for kind in ("grid", "choice"):
            if isinstance(entry.get(kind), list):
                options: list[Any] = entry[kind]
                return options
    return []
