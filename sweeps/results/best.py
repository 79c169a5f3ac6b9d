"""The best run of a sweep, with the trained model."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iwae.config.train import TrainConfig
from iwae.errors import UserError
from tracking.analysis.winner import Best, best
from tracking.errors import RecordError
from tracking.left_out import believed, results_only_in_mlflow, unbelieved_results
from tracking.records.records import TrialRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    from iwae.trained import TrainedModel

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BestRun:
    """The configuration with the lowest mean validation score over seeds, and the run that stands for it.

    Attributes:
        choice: the configuration's trials, the one with the median NLL, and the means.
        run_id: of that trial in MLflow; None where it has no run.
        storage: the sweep's files.
    """

    choice: Best
    run_id: str | None
    storage: SweepStorage

    @property
    def trial(self) -> TrialRecord:
        """The complete trial with the median validation score of the configuration's seeds."""
        return self.choice.trial

    @property
    def configuration(self) -> TrainConfig:
        """The trial's complete configuration, seed included."""
        return self.choice.trial.config

    @property
    def val_nll_final(self) -> float | None:
        """Mean over seeds, nats; None of models without a likelihood."""
        return self.choice.val_nll_final

    @property
    def test_nll(self) -> float | None:
        """Mean over seeds, nats; the choice does not depend on it."""
        return self.choice.test_nll

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % t-interval of the validation score over seeds; None with one seed."""
        return self.choice.interval

    def load(self) -> "TrainedModel":
        """The trained model, on the CPU: sample, reconstruct, encode, log-likelihood of new data."""
        return load_model(self.storage, self.trial)


def best_run(storage: SweepStorage, store: RunStore) -> BestRun:
    """The best run of what storage holds; a line of log for each result that is not counted.

    Args:
        storage: the sweep.
        store: its tracking store, which knows by hashes what was altered; opened for reading at first use.

    Raises:
        UserError: no trial is complete, or the store does not answer.
    """
    name, record = storage.name, storage.record()
    for line in unbelieved_results(storage, record):
        _log.warning("%s: see `sweeps verify %s`", line, name)
    if best(record) is None:
        raise UserError(f"{name} has no complete trial yet: see `sweeps status {name}`")
    store.open(reading=True)
    record, altered = believed(record, store)
    for line in (*altered, *results_only_in_mlflow(storage, record, store)):
        _log.warning("%s: see `sweeps verify %s`", line, name)
    choice = best(record)
    if choice is None:
        raise UserError(f"{name} has no complete trial that is believed: see `sweeps verify {name}`")
    return BestRun(choice, store.trial_run_id(name, choice.trial.key), storage)


def load_model(storage: SweepStorage, trial: TrialRecord) -> "TrainedModel":
    """The model that a complete trial trained.

    Raises:
        RecordError: the trial is not complete.
    """
    from iwae.trained import TrainedModel  # loads PyTorch

    unit = storage.trial(trial.key).newest()
    if unit is None or unit.weights is None:
        raise RecordError(f"{trial.plan.name} of {storage.name} has no weights: it is {trial.state.value}")
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        path = Path(folder, "model.safetensors")
        path.write_bytes(unit.weights)
        return TrainedModel.load(path)
