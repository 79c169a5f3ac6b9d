"""Deletes a sweep's runs: MLflow keeps them in its trash, and their files until it is told otherwise."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracking.addresses import uris
from tracking.mlflow.client import Client
from tracking.mlflow.models import LoggedModels


def delete_runs(client: Client, name: str) -> tuple[int, str | None]:
    """Move every run and logged model of a sweep to MLflow's trash, the parent last, and free their files.

    Files are removed only where this service makes them: beside a local database. What is elsewhere is
    MLflow's to remove.

    Returns:
        How many runs there were, and how the files that stayed are removed; None where none did.
    """
    runs = client.runs({"sweeps.name": name})
    stayed = []
    models = LoggedModels(client)
    for model in models.find({"sweeps.name": name}):
        _free(client, models.place(model))
        models.delete(model)
    for run in sorted(runs, key=lambda run: run.tags.get("sweeps.kind") == "sweep"):
        # The files first: a run in the trash is not found again by a deletion that was cut short.
        if not _free(client, client.artifacts.place(run.id)):
            stayed.append(run.id)
        client.delete(run.id)
    return len(runs), _how(client, stayed) if stayed else None


def _free(client: Client, address: str) -> bool:
    """Remove the files at an artifact address, if it is in the folder that this service makes."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or uris.is_server(client.connection_uri):
        return False
    root = Path(unquote(urlsplit(uris.artifact_root(client.connection_uri)).path)).resolve()
    folder = Path(unquote(parts.path)).resolve()
    if folder == root or not folder.is_relative_to(root):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    above = folder.parent  # the run's own folder, which held nothing else
    if above != root and above.is_dir() and not any(above.iterdir()):
        above.rmdir()
    return not folder.exists()


def _how(client: Client, run_ids: Sequence[str]) -> str:
    ids = ",".join(run_ids)
    if uris.is_server(client.connection_uri):
        return (
            "the artifacts stay until, where the server's database is reached, `mlflow gc"
            f" --backend-store-uri DATABASE --tracking-uri {client.uri} --run-ids {ids}`"
        )
    return (
        "the artifacts stay until `mlflow gc"
        f" --backend-store-uri '{client.uri}' --tracking-uri '{client.uri}' --run-ids {ids}`"
    )
