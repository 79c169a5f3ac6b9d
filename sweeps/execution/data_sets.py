"""The data sets of a plan, read before anything starts."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from iwae.config.data import TABLES, DataConfig
from iwae.data.location import npz_path
from iwae.errors import ConfigError
from sweeps.spec.spec import SweepSpec
from tracking.records.contents import data_remarks, data_set_of, known_data, refuse_changed
from tracking.records.planned import DataSet
from tracking.records.records import PlannedTrial, SweepRecord

if TYPE_CHECKING:
    from iwae.data.dataset import Dataset


def refuse_mixed(record: SweepRecord, plan: Iterable[PlannedTrial]) -> None:
    """Refuse to add to a configuration that an earlier version trained otherwise: seeds would be averaged.

    Raises:
        ConfigError: a trial is left of such a configuration.
    """
    from iwae.trainer.metrics import trained_otherwise  # loads PyTorch

    done = {trial.key for trial in record.complete}
    trained = {
        trial.plan.configuration_key: int(trial.provenance.get("definitions", 1))
        for trial in record.trials
        if trial.provenance
    }
    for trial in plan:
        version = trained.get(trial.configuration_key)
        if trial.key not in done and version and (why := trained_otherwise(version, trial.config)):
            raise ConfigError(
                "base", f"{trial.configuration_name} cannot go on: when it began {why}: must be a new sweep"
            )


def refuse_missing_files(
    plan: Iterable[PlannedTrial], spec: SweepSpec, record: SweepRecord | None = None
) -> None:
    """Refuse a plan whose files are not there; `prepare_data` reads what is in them, which takes seconds.

    Raises:
        DataError: one is missing.
    """
    known = set() if record is None else known_data(record)
    for config in dict.fromkeys(trial.config.data for trial in plan) or [spec.base.data]:
        if config.name == "npz":
            npz_path(config, moved=config in known)


def surprises(plan: list[PlannedTrial], spec: SweepSpec) -> list[str]:
    """What `prepare_data` would refuse or remark of the user's own files and of tables, which a plan reads.

    Raises:
        UserError: a data set is malformed, or does not suit its model.
    """
    own = dict.fromkeys(trial.config.data for trial in plan) or [spec.base.data]
    shown = [config for config in own if config.name == "npz" or config.name in TABLES]
    return data_remarks(data_set_of(config, _suited(config, plan, spec)) for config in shown)


def prepare_data(
    plan: list[PlannedTrial], spec: SweepSpec, record: SweepRecord | None = None
) -> list[DataSet]:
    """Download and read every data set of the plan before Ray starts.

    Args:
        plan: the trials.
        spec: of the sweep.
        record: of the sweep, when it has begun.

    Returns:
        What the data sets hold, those included that only the record knows.

    Raises:
        UserError: a data set is missing, malformed, not what it was, or does not suit its model.
    """
    if record is not None:
        refuse_mixed(record, plan)
    found = {} if record is None else {one.config: one for one in record.data}
    known = set() if record is None else known_data(record)
    for config in dict.fromkeys(trial.config.data for trial in plan) or [spec.base.data]:
        if config.path is not None and not Path(config.path).is_absolute():
            raise ConfigError(
                "base.data.path",
                f"{config.path} is not allowed: must be absolute, since workers have a folder of their own"
                " (`sweeps run` makes it so)",
            )
        dataset = _suited(config, plan, spec, moved=config in known)
        if record is not None:
            refuse_changed(record, config, dataset)
        found[config] = data_set_of(config, dataset)
    return list(found.values())


def _suited(
    config: DataConfig, plan: list[PlannedTrial], spec: SweepSpec, *, moved: bool = False
) -> "Dataset":
    """A data set that suits the models of the plan that train on it."""
    from iwae.data.load import load_dataset, suit  # loads PyTorch

    dataset = load_dataset(config, download=True, moved=moved)
    configs = [trial.config for trial in plan if trial.config.data == config] or [spec.base]
    for one in {config.model: config for config in configs}.values():
        suit(dataset, one)
    return dataset
