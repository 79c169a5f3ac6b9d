"""The files of runs."""

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracking.mlflow.calls import Calls


class Artifacts:
    """The files of the runs of one tracking store.

    Args:
        calls: of the store.
        root: the address of a run's files, by its id; asked once a run.
    """

    def __init__(self, calls: Calls, root: Callable[[str], str]) -> None:
        self._calls = calls
        self._root = root
        self._repositories: dict[str, ArtifactRepository] = {}

    def place(self, run_id: str) -> str:
        """The address of the run's artifacts."""
        return self._root(run_id)

    def upload(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Store files under their paths among the run's artifacts, replacing those that are there."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self._calls.call(self._repository(run_id).log_artifacts, folder)

    def prove(self, root: str) -> None:
        """Write a file under a root and remove it again.

        Raises:
            RecordError: it cannot be written there.
        """
        repository = self._calls.call(get_artifact_repository, root, tracking_uri=self._calls.connection_uri)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            path = Path(folder, f".sweeps-{uuid.uuid4().hex}")
            path.write_bytes(b"Proof that this place can be written.\n")
            self._calls.call(repository.log_artifact, str(path))
        with contextlib.suppress(Exception):  # who may write may not be allowed to delete
            self._calls.call(repository.delete_artifacts, path.name)

    def files(self, run_id: str, folder: str | None = None) -> list[str]:
        """Paths of the run's artifacts, folders opened."""
        names: list[str] = []
        for item in self._calls.call(self._repository(run_id).list_artifacts, folder):
            names += self.files(run_id, item.path) if item.is_dir else [item.path]
        return names

    def read(self, run_id: str, path: str) -> bytes:
        """The content of an artifact."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            local = self._calls.call(self._repository(run_id).download_artifacts, path, dst_path=folder)
            return Path(local).read_bytes()

    def read_if_there(self, run_id: str, path: str) -> bytes | None:
        """The content of an artifact, or None; `read` asks twice, whether it is a folder first."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            local = Path(folder, "file")
            try:
                self._repository(run_id)._download_file(path, str(local))  # type: ignore[no-untyped-call]
                return local.read_bytes()
            except Exception:  # each kind of repository says in its own way that there is no such file
                return self.read(run_id, path) if path in self.files(run_id) else None

    def remove(self, run_id: str, path: str) -> None:
        """Remove an artifact; one that is not there is no error."""
        self._calls.call(self._repository(run_id).delete_artifacts, path)

    def _repository(self, run_id: str) -> ArtifactRepository:
        # `runs:/` addresses ask the store several times for each file.
        if run_id not in self._repositories:
            self._repositories[run_id] = self._calls.call(
                get_artifact_repository, self._root(run_id), tracking_uri=self._calls.connection_uri
            )
        return self._repositories[run_id]
