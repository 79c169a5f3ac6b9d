"""Addresses: of the tracking store in use, and of a run in MLflow's pages. No MLflow, nothing is written."""

import os
import re
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from tracking.addresses import secrets
from tracking.errors import RecordError

_SQLITE = "sqlite:///"
_SCHEMES = {"http", "https", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc"}
LOCAL_UI_PORT = 5000  # where `sweeps ui` listens unless it is told otherwise
LOCAL_UI = f"http://127.0.0.1:{LOCAL_UI_PORT}"
# What means something else in the path of an address.
_QUOTED = re.compile(r"\?|%(?=[0-9A-Fa-f]{2})")


def resolve_tracking_uri(uri: str | None = None) -> str:
    """The tracking store to use, as an address that means the same in every process.

    Args:
        uri: as given; None takes ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the current folder.

    Raises:
        RecordError: a folder or ``file:`` store, which MLflow no longer writes, a database in memory, or a
            server with credentials in its address.
    """
    uri = _plain_scheme(uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db")
    if is_server(uri) and "@" in uri:
        raise RecordError(
            f"tracking URI: credentials in {shown(uri)!r} are not allowed: must be in"
            " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    if is_server(uri) and ("?" in uri or "#" in uri):
        raise RecordError(
            f"tracking URI: {shown(uri)!r} is not allowed: must be http://, a host and a port's number alone;"
            " a token goes into MLFLOW_TRACKING_TOKEN"
        )
    if is_server(uri):
        server_parts(uri, "tracking URI")
    if uri.startswith("sqlite"):
        return _resolve_sqlite(uri)
    if "://" not in uri and not uri.startswith("databricks"):
        path = Path(uri.removeprefix("file:")).expanduser().absolute()
        database = path if path.suffix in (".db", ".sqlite") else path / "mlflow.db"
        if shown(uri) != uri:
            raise _no_scheme_of_mlflow(uri)
        raise RecordError(f"tracking URI: {uri!r} is not allowed: must be {_SQLITE}{database} or a server")
    if uri.startswith("file:"):
        raise RecordError(
            f"tracking URI: {uri!r} is not allowed: must be sqlite:///path or a server's http://"
        )
    if not _is_known(uri.partition(":")[0]):
        raise _no_scheme_of_mlflow(uri)
    return uri.rstrip("/")


def _plain_scheme(uri: str) -> str:
    """The address with its scheme in small letters, which mean the same: what is checked is what is used."""
    scheme, mark, rest = uri.strip().partition("://")
    return f"{scheme.lower()}{mark}{rest}" if mark else uri.strip()


def _is_known(scheme: str) -> bool:
    """Whether MLflow, or a plugin of it, has stores with such an address."""
    known = scheme.partition("+")[0] in _SCHEMES
    return known or bool(entry_points(group="mlflow.tracking_store", name=scheme))


def _no_scheme_of_mlflow(uri: str) -> RecordError:
    return RecordError(
        f"tracking URI: {shown(uri)!r} is not allowed: must be sqlite:///path, a server's http://"
        " or a database's, for example postgresql://"
    )


def shown(uri: str) -> str:
    """The address with ``***`` for its password: for messages, tags, records and output."""
    return secrets.address(uri)


def server_parts(uri: str, what: str) -> SplitResult:
    """The parts of a server's ``http://`` address, its port a number.

    Args:
        uri: of the server.
        what: name of the address in the message.

    Raises:
        RecordError: it has no host, or a malformed port.
    """
    try:
        parts = urlsplit(uri)
        if parts.hostname and parts.port != 0:
            parts.hostname.encode("idna")
            return parts
    except ValueError:
        pass
    raise RecordError(f"{what}: {shown(uri)!r} is not allowed: must be http://, a host and a port's number")


def refuse_password(uri: str) -> None:
    """Refuse a password in an address from a command line: every user of the machine can read it there.

    Raises:
        RecordError: it holds one.
    """
    if not is_server(uri) and shown(uri) != uri:
        raise RecordError(
            f"--tracking-uri: the password in {shown(uri)!r} is not allowed, lists of processes show it:"
            " set MLFLOW_TRACKING_URI"
        )


def _resolve_sqlite(uri: str) -> str:
    database = uri.removeprefix(_SQLITE)
    if database == uri or database.startswith("file:") or ":memory:" in uri:
        raise RecordError(f"tracking URI: {shown(uri)!r} is not allowed: must be sqlite:///path/to/mlflow.db")
    query = database.partition("?")[2]
    if query and not all(re.fullmatch(r"\w+=[^/]*", item) for item in query.split("&")):
        raise RecordError(f"tracking URI: {shown(uri)!r} is not allowed: must have %3F for a '?' in its path")
    path = sqlite_path(uri)
    try:
        is_folder = not path.name or path.is_dir()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise RecordError(f"tracking URI: {path} is not allowed: must be a file ({error.strerror})") from None
    if is_folder:
        raise RecordError(
            f"tracking URI: {shown(uri)!r} is not allowed: must be sqlite:///path/to/mlflow.db ({path} is a"
            " folder)"
        )
    return sqlite_uri(path) + "".join(uri.partition("?")[1:])


def sqlite_path(uri: str) -> Path:
    """The path of the file of a ``sqlite:///`` address: absolute, its folder without ``..`` and links.

    A link to a database is not followed: the artifacts are beside the link.

    Raises:
        RecordError: it begins with the home of a user that does not exist, or links go in a circle.
    """
    text = uri.removeprefix(_SQLITE).partition("?")[0]
    try:
        path = Path(_decoded(text) if "%" in text else text).expanduser()
        return path.parent.resolve() / path.name
    except (RuntimeError, ValueError) as error:
        raise RecordError(f"tracking URI: {shown(uri)!r} is not allowed: must be a path ({error})") from None


def sqlite_uri(path: Path) -> str:
    """The address of a database file, as SQLAlchemy reads it.

    Raises:
        RecordError: this version of SQLAlchemy has no way to write such a path.
    """
    if not _QUOTED.search(str(path)):
        return f"{_SQLITE}{path}"
    # Slashes too: MLflow makes the folder that such an address seems to name before it is decoded.
    uri = _SQLITE + quote(str(path), safe="")
    if _decoded(uri.removeprefix(_SQLITE)) != str(path):
        raise RecordError(
            f"tracking URI: {path} is not allowed: must be a path without '?' and '%'"
            " (SQLAlchemy 2.1 takes them)"
        )
    return uri


def _decoded(database: str) -> str:
    """What SQLAlchemy takes an address's path for: from 2.1 on it replaces ``%41`` and the like."""
    from sqlalchemy import make_url

    return make_url(_SQLITE + database).database or ""


def is_server(uri: str) -> bool:
    """Whether the store is an MLflow server."""
    return uri.startswith(("http://", "https://"))


def run_page(base: str, experiment_id: str, run_id: str) -> str:
    """The page of a run, in the view for training runs."""
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def view_page(base: str, experiment_id: str, view: str, *, charts: bool = False) -> str:
    """The page of a saved view of an experiment's runs: its table, or its charts.

    It works for any number of runs: the view says which by a filter, and the address names none.
    """
    mode = "&compareRunsMode=CHART" if charts else ""
    query = f"viewStateShareKey={quote(view)}&workflowType=machine_learning{mode}"
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{query}"


def artifact_root(uri: str) -> str:
    """Where the artifacts of a local database go: ``mlartifacts`` beside it, as a ``file://`` address."""
    folder = sqlite_path(uri).parent if uri.startswith(_SQLITE) else Path.cwd()
    return (folder / "mlartifacts").as_uri()
