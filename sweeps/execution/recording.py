"""Where a sweep is recorded: proved before it starts, published when it has ended."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from iwae.errors import ConfigError
from sweeps.spec.spec import SweepSpec
from tracking.errors import RecordError, StorageError
from tracking.files.files import Files
from tracking.recorder import Recorder
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from tracking.analysis.winner import Best  # loads SciPy


def prove(files: Files) -> None:
    """Check that a sweep's files can be written and locked where they are to be.

    Raises:
        RecordError: they cannot.
    """
    try:
        files.prove()
    except StorageError as error:
        raise RecordError(str(error)) from None


def record_in(spec: SweepSpec, storage: SweepStorage, store: RunStore) -> None:
    """Say in which experiment the sweep is recorded, and prove that it can be.

    Args:
        spec: what is started; of a sweep that is in storage its experiment may be another one now.
        storage: the sweep, there or not.
        store: the tracking store, open.

    Raises:
        ConfigError: another experiment than the one that has the sweep's runs.
        RecordError: the experiment was deleted, its files cannot be written, or the store has the runs of the
            sweep in another storage.
    """
    from tracking.runs.sweep_run import refuse_elsewhere

    if storage.exists and (parent := store.find_parent(spec.name)) is not None:
        refuse_elsewhere(store.client, parent, storage)
    store.experiment = wanted = spec.tracking.experiment
    changed = storage.exists and SweepSpec.parse(storage.spec()).tracking.experiment != wanted
    if changed and (there := store.experiment_of(spec.name).name) != wanted:
        raise ConfigError(
            "tracking.experiment",
            f"{wanted} is not allowed: must be {there}, where the sweep's runs are: MLflow cannot move them"
            " (`sweeps run` with another --name starts anew)",
        )
    store.prepare(spec.name)


def published(
    recorder: Recorder, record: SweepRecord, storage: SweepStorage, store: RunStore, choice: "Best | None"
) -> tuple[str | None, str | None, str | None]:
    """Write the report, and attach it to the parent run where MLflow has everything else.

    Returns:
        The id of the parent run, that of the best configuration's run, and why MLflow lacks something; None
        for each that does not exist.
    """
    from tracking.publish import publish, store_report

    if not recorder.complete:
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            store_report(record, storage, Path(folder))
        return None, None, recorder.trouble or f"{store.tracking_uri} does not answer"
    try:
        parent = publish(record, storage, store)
        best_run = None if choice is None else store.trial_run_id(record.name, choice.trial.key)
    except RecordError as error:
        return None, None, str(error)
    return parent, best_run, None
