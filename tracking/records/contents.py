"""The data that a sweep's trials were trained and measured on: the same from the first to the last."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from iwae.config.data import DataConfig
from tracking.errors import OtherDataError
from tracking.records.planned import DataSet
from tracking.records.records import SweepRecord, TrialRecord

if TYPE_CHECKING:  # which loads PyTorch
    from iwae.data.dataset import Dataset


def data_set_of(config: DataConfig, dataset: "Dataset") -> DataSet:
    """What was read for ``config``."""
    sizes = {"validation": len(dataset.validation), "test": len(dataset.test)}
    hashes = dataset.content_hash, dataset.measured_hash
    return DataSet(config, *hashes, dataset.repeated, sizes, dataset.remarks)


def refuse_other(known: Iterable[DataSet], config: DataConfig, dataset: "Dataset") -> None:
    """Refuse a data set that is not what was decided.

    A set that was not there to be read, because a sampler has just suggested its ``num_train``, is compared
    by the images that it is measured on.

    Args:
        known: the data sets as they were.
        config: which one was read.
        dataset: what was read now.

    Raises:
        OtherDataError: its content is another one; both hashes are named.
    """
    for one in known:
        if one.config == config:
            _refuse(config, one.sha256, dataset.content_hash)
            return
    for one in known:
        if _measured(one.config) == _measured(config):
            _refuse(config, one.measured_sha256, dataset.measured_hash)


def known_data(record: SweepRecord) -> set[DataConfig]:
    """The data sets whose content the record tells."""
    trained = {trial.config.data for trial in record.trials if _trained_on(trial)}
    return trained | {one.config for one in record.data}


def refuse_changed(record: SweepRecord, config: DataConfig, dataset: "Dataset") -> None:
    """Refuse a data set that is not what the sweep was decided with, or any trial of it was trained on.

    Raises:
        OtherDataError: its content is another one; both hashes are named.
    """
    refuse_other(record.data, config, dataset)
    for trial in record.trials:
        if trial.config.data == config:
            for sha256 in _trained_on(trial):
                _refuse(config, sha256, dataset.content_hash)


def other_data(record: SweepRecord) -> Iterator[tuple[str, str]]:
    """Trials that were trained on other data than their sweep, each with what is wrong."""
    decided = {one.config: one.sha256 for one in record.data}
    for trial in record.trials:
        for sha256 in _trained_on(trial):
            right = decided.setdefault(trial.config.data, sha256)
            if sha256 != right:
                what = f"it was trained on data with the SHA-256 {sha256[:12]}…: must be {right[:12]}…"
                yield trial.key, f"storage: {what}, as the sweep's others"


def measured_on(record: SweepRecord) -> dict[str, str]:
    """What each trial was measured on, by its key: the same text for the same images.

    Empty where the record is from before the images that are measured on had a hash of their own, and
    nothing says that there were different ones.
    """
    measured = {one.sha256: one.measured_sha256 for one in record.data}
    decided = {one.config: one.sha256 for one in record.data}
    contents: dict[DataConfig, set[str]] = {}
    for trial in record.trials:
        contents.setdefault(trial.config.data, set()).update(_trained_on(trial)[-1:])
    found = {}
    for trial in record.trials:
        hashes = contents[trial.config.data]
        sha256 = next(iter(_trained_on(trial)[-1:]), decided.get(trial.config.data, ""))
        found[trial.key] = measured.get(sha256, sha256 if len(hashes) > 1 else "")
    return found


def data_remarks(sets: Iterable[DataSet]) -> list[str]:
    """What to know of data sets: items that are also training items, another range, and so on."""
    return list(dict.fromkeys(remark for one in sets for remark in (*_repeated(one), *one.remarks)))


def _repeated(one: DataSet) -> Iterator[str]:
    """A sentence for each split with items that are also training items."""
    for split, number in one.repeated.items():
        if number:
            name = one.config.path or one.config.name
            yield (
                f"{number:,} of {one.sizes[split]:,} {split} items of {name} are also training items: the"
                f" {split} NLL is lower than on new ones."
            )


def _trained_on(trial: TrialRecord) -> list[str]:
    """Content hashes of its attempts, oldest first."""
    provenances = [attempt.provenance for attempt in trial.attempts if attempt is not None]
    return [str(values["dataset_hash"]) for values in provenances if values.get("dataset_hash")]


def _measured(config: DataConfig) -> DataConfig:
    return config.model_copy(update={"num_train": None})


def _refuse(config: DataConfig, was: str, now: str) -> None:
    if was != now:
        name = config.name if config.path is None else config.path
        raise OtherDataError(
            f"data: {name} is not what the sweep began with: its SHA-256 is {now[:12]}… and was {was[:12]}…:"
            " put the old data back, or start a new sweep under another --name"
        )
