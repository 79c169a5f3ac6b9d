"""Opens a tracking store: a local database is made once and whole, a server that is away is told at once."""

import logging
from collections.abc import Callable
from functools import partial

from tracking import reach, uris
from tracking.client import Client
from tracking.database import require_file, require_server
from tracking.relocation import bring_home, followed

_log = logging.getLogger(__name__)


def connect(uri: str, create: bool = False) -> Client:
    """A client of the store, after it answered.

    Args:
        uri: as ``resolve_tracking_uri`` gives it.
        create: make the tables of a database that has none yet.

    Raises:
        RecordError: there is no such store, or it does not answer.
    """
    reach.require_store(uri)
    if uri.startswith("sqlite"):
        require_file(uri, create)
    elif uri.startswith(reach.DATABASES):
        require_server(uri, create)
    client = Client(uri, _followed(uri))
    client.experiments()
    return client


def _followed(uri: str) -> Callable[[str], str]:
    """Where the addresses in the store lie now; those of a local database follow it."""
    if not uri.startswith("sqlite"):
        return str
    root = uris.artifact_root(uri)
    former = bring_home(uris.sqlite_path(uri), root)
    for old in former:
        _log.warning("%s was made elsewhere: its artifacts at %s are now at %s", uris.shown(uri), old, root)
    return partial(followed, former=former, root=root)
