"""The experiment of a sweep's runs: found, made, proved before a start, and taken back from the trash."""

from tracking.addresses import uris
from tracking.errors import RecordError, RefusedError
from tracking.mlflow.client import Client, Experiment
from tracking.mlflow.limits import MAX_ARTIFACT_ROOT, MAX_EXPERIMENT_NAME

_IN_RUN = len("/") + 32 + len("/artifacts")  # what a run's root has behind its experiment's


def usable(client: Client, name: str) -> Experiment:
    """The experiment of this name, made when there is none.

    Raises:
        RefusedError: it was deleted.
        RecordError: no experiment can have this name.
    """
    found = client.experiment(name)
    if found is None:
        if len(name) > MAX_EXPERIMENT_NAME or not name.strip():
            raise RecordError(
                f"tracking.experiment: {len(name)} characters are not allowed: must be a name of at most"
                f" {MAX_EXPERIMENT_NAME}"
            )
        local = not uris.is_server(client.connection_uri)
        root = uris.artifact_root(client.connection_uri) if local else None
        found = client.create_experiment(name, root)
    if found.deleted:
        raise RefusedError(
            f"tracking.experiment: {name} is not allowed: it was deleted in {client.uri}: must be another one"
            f" (--set tracking.experiment=...), or be restored in MLflow (`mlflow experiments restore"
            f" --experiment-id {found.id}`; for a sweep that is there `sweeps verify NAME --repair`)"
        )
    return found


def prove(client: Client, experiment: Experiment) -> None:
    """Write a file where the runs' files go, and remove it.

    Raises:
        RecordError: runs in this experiment, or their files, cannot be written.
    """
    what = f"tracking store {client.uri}: the artifact root {experiment.root} of {experiment.name}"
    database = not uris.is_server(client.connection_uri) and not client.uri.startswith("sqlite")
    most = MAX_ARTIFACT_ROOT - _IN_RUN
    if database and len(experiment.root) > most:
        raise RecordError(
            f"{what} is not allowed: must have at most {most} characters in this database: start in another"
            f" folder with another experiment (--set tracking.experiment=...)"
        )
    try:
        client.artifacts.prove(experiment.root)
    except RecordError as error:
        reason = str(error).removeprefix(f"tracking store {client.uri}: ").rstrip(". ")
        raise RecordError(f"{what} cannot be written: {reason}: must be a place to write in") from None


def restore(client: Client, name: str, sweep: str) -> bool:
    """Restore an experiment that was deleted, and in it the runs of one sweep; the others stay deleted.

    Returns:
        Whether there was something to restore.
    """
    found = client.experiment(name)
    if found is None or not found.deleted:
        return False
    client.restore_experiment(found.id)
    for run in client.runs({}, [found.id]):  # MLflow revives every one, deleted before or with it
        if run.tags.get("sweeps.name") != sweep:
            client.delete(run.id)
    return True
