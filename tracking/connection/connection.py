"""Opens a tracking store: a local database is made once and whole, a server that is away is told at once."""

import logging

from tracking.addresses import reach, uris
from tracking.addresses.relocation import Move, bring_home, former_roots
from tracking.connection.database import require_file, require_server
from tracking.mlflow.client import Client

_log = logging.getLogger(__name__)


def connect(uri: str, create: bool = False, *, reading: bool = False) -> Client:
    """A client of the store, after it answered.

    Args:
        uri: as ``resolve_tracking_uri`` gives it.
        create: make the tables of a database that has none yet.
        reading: nothing will be written: addresses in a local store that was copied stay as they are.

    Raises:
        RecordError: there is no such store, or it does not answer.
    """
    reach.require_store(uri)
    if uri.startswith("sqlite"):
        require_file(uri, create)
    elif uri.startswith(reach.DATABASES):
        require_server(uri, create)
    client = Client(uri, _moved(uri, reading))
    client.experiments()
    return client


def _moved(uri: str, reading: bool) -> Move:
    """Where the files that the store names are now; the addresses in a local database are changed with it."""
    if not uri.startswith("sqlite"):
        return Move()
    database, root = uris.sqlite_path(uri), uris.artifact_root(uri)
    move = Move(former_roots(database, root))
    if not reading:
        bring_home(database, move)
    for old, new in [*move.roots.items()][:1]:
        _log.warning("%s was made elsewhere: its artifacts at %s are now at %s", uris.shown(uri), old, new)
    return move
