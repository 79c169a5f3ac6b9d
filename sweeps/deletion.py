"""Deletes a sweep: its runs and its files, and nothing that belongs to another sweep."""

from collections.abc import Callable

from tracking.errors import RecordError
from tracking.files.places import same_place
from tracking.runs.claims import parent_runs
from tracking.storage import turns
from tracking.storage.deletion import begin_deletion, end_deletion
from tracking.storage.sessions import refuse_if_live
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


def delete(storage: SweepStorage, store: RunStore | None, tell: Callable[[str], None]) -> None:
    """Remove a sweep's runs and its files.

    Runs of a sweep of this name in another storage stay, and so do files that no sweep wrote; both are told.
    A deletion that was cut short is finished by the next one.

    Args:
        storage: the sweep.
        store: the tracking store; None where there is none.
        tell: called with a line about what stays.

    Raises:
        RecordError: a driver is running it, here or elsewhere, or there is no such sweep.
    """
    is_here = bool(storage.files.entries(storage.path()))
    runs = _own_runs(storage, store, tell, is_here=is_here)
    if not is_here and not runs:
        storage.spec()  # raises which ones there are
    refuse_if_live(storage)
    if is_here:
        begin_deletion(storage)
        try:
            refuse_if_live(storage)  # a driver that began meanwhile sees the mark, or is seen here
        except RecordError:
            storage.forget_deletion()
            raise
    if store is not None and runs:
        from tracking.connection.run_deletion import delete_runs  # loads MLflow
        from tracking.runs.views import forget_views

        with turns.alone(storage):
            store.forget(storage.name)
            parents = parent_runs(store.client, storage.name)
            forget_views(store.client, {run.experiment_id for run in parents}, storage.name)
            _, stays = delete_runs(store.client, storage.name)
        if stays is not None:
            tell(stays)
    if is_here and (others := end_deletion(storage)):
        tell(
            f"{storage.uri} keeps what no sweep wrote: {', '.join(others[:5])}{' ...' if others[5:] else ''}"
        )


def _own_runs(
    storage: SweepStorage, store: RunStore | None, tell: Callable[[str], None], *, is_here: bool
) -> bool:
    """Whether the tracking store has runs, and they are this sweep's."""
    if store is None or not store.client.runs({"sweeps.name": storage.name}):
        return False
    parents = parent_runs(store.client, storage.name)
    places = [run.tags.get("sweeps.storage", "") for run in parents]
    own = [run for run, at in zip(parents, places, strict=True) if same_place(at, storage.files.uri)]
    if parents and not own:
        other = places[0]
        if not is_here:
            raise RecordError(
                f"no sweep {storage.name} in {storage.files.uri}: {store.tracking_uri} has it in {other};"
                " nothing was deleted"
            )
        tell(
            f"the runs of {storage.name} in {store.tracking_uri} are those of the sweep in {other}, and stay"
        )
        return False
    running = [run for run in own if run.status == "RUNNING"]
    if running and not is_here:
        raise RecordError(
            f"{storage.name} is running, says {store.tracking_uri}, and its files are not in {storage.uri}:"
            " it may run on another machine: nothing was deleted"
        )
    return True
