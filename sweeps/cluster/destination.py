"""Where a submitted sweep stores its results: addresses that are valid on every node and hold no secret."""

from dataclasses import dataclass

from tracking.addresses.uris import resolve_tracking_uri, shown
from tracking.errors import RecordError
from tracking.files.places import open_storage


@dataclass(frozen=True)
class Destination:
    """Where a job stores its results, as the cluster's nodes see it.

    Attributes:
        storage: an absolute folder, ``file://`` or ``s3://`` URI.
        tracking_uri: an MLflow server, or a database by an absolute address.
    """

    storage: str
    tracking_uri: str

    def __post_init__(self) -> None:
        # Anyone with access to the cluster can read the command lines and the metadata of its jobs.
        if shown(self.tracking_uri) != self.tracking_uri:
            raise RecordError(
                f"tracking URI: the password in {shown(self.tracking_uri)!r} is not allowed: must be in the"
                " environment of the nodes (MLFLOW_TRACKING_PASSWORD, PGPASSWORD or a file of theirs)"
            )
        if self.storage.startswith("s3://"):
            open_storage(self.storage)  # refuses credentials

    @classmethod
    def checked(cls, storage: str | None, tracking_uri: str | None) -> "Destination":
        """The destination, once it is known to be valid on every node.

        Raises:
            RecordError: one is missing or relative, or holds a secret.
        """
        why = "a job's own folder is temporary"
        if not storage:
            raise RecordError(
                "--storage: missing: must be an absolute folder, file:// or s3:// that the nodes share"
                f" (or SWEEPS_STORAGE): {why}"
            )
        if not storage.startswith(("/", "file:///", "s3://")):
            raise RecordError(
                f"--storage: {storage!r} is not allowed: must be an absolute folder, file:// or s3://: {why}"
            )
        if not tracking_uri:
            raise RecordError(
                "--tracking-uri: missing: must be an MLflow server's http:// or a database's absolute address"
                f" (or MLFLOW_TRACKING_URI): {why}"
            )
        resolved = resolve_tracking_uri(tracking_uri)
        if tracking_uri.startswith("sqlite") and not tracking_uri.startswith(
            ("sqlite:////", "sqlite:///%2F")
        ):
            raise RecordError(
                f"--tracking-uri: {tracking_uri!r} is not allowed: must be sqlite:////absolute/path or a"
                f" server: {why}"
            )
        return cls(storage, resolved)
