"""Where sweeps are: the storage, the tracking store and the cluster in use: given, or by the environment."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.process import account
from tracking.addresses.reach import keep_loopback_direct
from tracking.addresses.uris import refuse_password, resolve_tracking_uri, sqlite_path
from tracking.errors import RecordError, StorageError
from tracking.files.files import Files
from tracking.files.places import open_storage
from tracking.store import RunStore

if TYPE_CHECKING:
    from sweeps.cluster.jobs import Cluster

_log = logging.getLogger(__name__)


def make_usable() -> None:
    """Give this process what Ray, MLflow and PyTorch need of it, however it was started."""
    keep_loopback_direct()
    account.complete()


def storage_in_use(storage: str | Path | None) -> str:
    """A folder or ``s3://bucket/prefix``: as given, else ``SWEEPS_STORAGE``, else ``sweeps-storage`` here."""
    return str(storage or os.environ.get("SWEEPS_STORAGE") or "sweeps-storage")


def files_of(storage: str | Path | None) -> Files:
    """The storage in use, after it answered.

    Raises:
        RecordError: it does not answer: no such bucket, no credentials.
    """
    files = open_storage(storage_in_use(storage))
    try:
        files.names("")
    except StorageError as error:
        raise RecordError(str(error)) from None
    return files


def store_of(uri: str | None, experiment: str | None = None) -> RunStore:
    """The tracking store in use, not opened yet.

    Args:
        uri: of a server or a database; None takes ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder.
        experiment: where new runs go.

    Raises:
        RecordError: it is no such address, or a password stands in it.
    """
    if uri is not None:
        refuse_password(uri)
    uri = resolve_tracking_uri(uri)
    return RunStore(uri) if experiment is None else RunStore(uri, experiment)


def is_made(store: RunStore) -> bool:
    """Whether the store is a server, or a database that was made already."""
    uri = store.tracking_uri
    return not uri.startswith("sqlite:") or sqlite_path(uri).exists()


def cluster_of(url: str | None) -> "Cluster | None":
    """The cluster that was given or that the environment names, after it answered; None without one.

    Raises:
        RecordError: nothing answers there, it is no Ray, or the token is missing or wrong.
    """
    from sweeps.cluster.client import cluster_address, readable_token

    address = cluster_address(url)
    if address is None:
        return None
    from sweeps.cluster.jobs import Cluster  # loads Ray's client

    if (warning := readable_token()) is not None:
        _log.warning(warning)
    return Cluster(address)


def named_cluster(url: str | None) -> "Cluster":
    """The cluster that was given or that the environment names, after it answered.

    Raises:
        RecordError: none is named, or it does not answer.
    """
    found = cluster_of(url)
    if found is None:
        raise RecordError(
            "--cluster: missing: must be the dashboard of a Ray cluster, http://HOST:8265"
            " (or RAY_API_SERVER_ADDRESS)"
        )
    return found
