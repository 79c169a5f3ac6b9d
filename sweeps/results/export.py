"""What a trained model says of every item of its data set, as Parquet: embeddings, NLLs, a file a split.

    split         train, validation or test
    source        the array of the data set that has the item: validation items may be held out of train
    index         its row there, from 0: of digits and the tables, scikit-learn's row
    label         its class, where the set has labels; label_name where these have names
    z_mean_0 ...  posterior mean of each latent unit
    z_std_0 ...   posterior standard deviation, where it has a closed form
    nll           -log p(x) in nats, of a conditional model -log p(x|y), in the unit of the data

Items are those that are evaluated: of `binarization: dynamic` and `fixed` one seeded Bernoulli sample. The
files' metadata say which run, configuration, data and number of importance samples they come from.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iwae.errors import ConfigError
from sweeps.results.best import load_model
from tracking.records.contents import refuse_changed
from tracking.records.records import TrialRecord
from tracking.storage.sweep import SweepStorage

if TYPE_CHECKING:  # what these load is loaded when something is exported
    from iwae.data.dataset import Dataset, Labels
    from iwae.data.items import Items
    from iwae.trained import TrainedModel

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Exported:
    """Tables that were written.

    Attributes:
        folder: where.
        files: by split.
        items: how many, by split.
        columns: of each table.
        num_samples: K of the NLLs; None where there are none, or they need none.
        nll: their mean by split, nats; empty where there are none.
    """

    folder: Path
    files: dict[str, Path]
    items: dict[str, int]
    columns: tuple[str, ...]
    num_samples: int | None
    nll: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "folder": str(self.folder),
            "files": {split: str(path) for split, path in self.files.items()},
            "items": self.items,
            "columns": list(self.columns),
            "num_samples": self.num_samples,
            "nll": self.nll,
        }


def export(
    storage: SweepStorage,
    trial: TrialRecord,
    out: Path,
    *,
    embeddings: bool,
    nll: bool,
    num_samples: int | None = None,
    run_id: str | None = None,
    force: bool = False,
    progress: Progress = lambda what, fraction: None,
) -> Exported:
    """Write a trial's embeddings and NLLs of all three splits.

    Args:
        storage: the trial's sweep.
        trial: complete.
        out: a folder, made where it is not there.
        embeddings: write means and standard deviations of the latents.
        nll: write NLLs.
        num_samples: K; None is that of the trial's final evaluation.
        run_id: of the trial in MLflow, for the metadata.
        force: replace files that are there.
        progress: hears what is computed, and the fraction done.

    Raises:
        ConfigError: nothing is asked for, the model has no likelihood, or the files are there or cannot be
            written.
        RecordError: the trial has no weights.
        DataError: the data are not there, or are not what the trial was trained on.
    """
    config = trial.config
    if not (embeddings or nll):
        raise ConfigError("--embeddings", "is missing, and so is --nll: give one or both")
    if nll and config.model.evidence == "none":
        raise ConfigError("--nll", f"is not allowed: {config.model.name} has no likelihood")
    from iwae.data.dataset import SPLITS

    out = out.expanduser()
    files = {split: out / f"{split}.parquet" for split in SPLITS}
    _refuse_files(files, force=force)
    model = load_model(storage, trial)
    dataset = _data(storage, trial, progress)
    samples = _samples(model, num_samples) if nll else None
    metadata = {
        "sweeps.name": storage.name,
        "sweeps.trial_key": trial.key,
        **({} if run_id is None else {"sweeps.run_id": run_id}),
        "sweeps.config": json.dumps(config.to_dict()),
        "sweeps.data_sha256": dataset.content_hash,
        **({"sweeps.evidence": config.model.evidence} if nll else {}),
        **({} if samples is None else {"sweeps.nll_num_samples": str(samples)}),
    }
    tables: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        tables[split] = _identity(dataset, split)
        items = _evaluated(model, dataset, split)
        if embeddings:
            progress(f"{split}: embeddings", 0)
            tables[split] |= _latents(model, items)
        if nll:
            tables[split]["nll"] = _nll(model, dataset, items, split, samples, progress)
    _write(tables, files, metadata)
    return Exported(
        out,
        files,
        {split: len(table["index"]) for split, table in tables.items()},
        tuple(tables["test"]),
        samples,
        {split: float(table["nll"].mean()) for split, table in tables.items() if nll},
    )


# Before


def _refuse_files(files: Mapping[str, Path], *, force: bool) -> None:
    folder = next(iter(files.values())).parent
    if folder.exists() and not folder.is_dir():
        raise ConfigError("--out", f"{folder} is no folder")
    there = [path.name for path in files.values() if path.exists()]
    if there and not force:
        raise ConfigError("--out", f"{folder} has {', '.join(there)} already: --force replaces them")


def _data(storage: SweepStorage, trial: TrialRecord, progress: Progress) -> "Dataset":
    from iwae.data.load import load_dataset  # loads PyTorch

    progress("reading the data", 0)
    dataset = load_dataset(trial.config.data, moved=True)
    refuse_changed(storage.record(), trial.config.data, dataset)
    return dataset


def _samples(model: "TrainedModel", asked: int | None) -> int | None:
    """K of the NLLs; None where they need no samples."""
    if model.config.model.evidence != "estimate":
        return None
    return asked or model.config.evaluation.final_num_samples


# Columns


def _identity(dataset: "Dataset", split: str) -> dict[str, Any]:
    count = len(getattr(dataset, split))
    assert dataset.origins is not None  # it was loaded here
    origin = dataset.origins[split]
    columns = {"split": [split] * count, "source": [origin.array] * count, "index": origin.rows}
    return columns | ({} if dataset.labels is None else _labels(dataset.labels, split))


def _labels(labels: "Labels", split: str) -> dict[str, Any]:
    numbers = getattr(labels, split).numpy()
    if list(labels.names) == [str(number) for number in range(len(labels.names))]:
        return {"label": numbers}
    return {"label": numbers, "label_name": [labels.names[number] for number in numbers]}


def _evaluated(model: "TrainedModel", dataset: "Dataset", split: str) -> "Items":
    from iwae.trainer.splits import Splits

    return Splits(model.config, dataset).evaluated(split)


def _latents(model: "TrainedModel", items: "Items") -> dict[str, Any]:
    found = model.embeddings(items.inputs())
    columns = {f"z_mean_{d}": column for d, column in enumerate(found.means.T)}
    if found.stds is not None:
        columns |= {f"z_std_{d}": column for d, column in enumerate(found.stds.T)}
    return columns


def _nll(
    model: "TrainedModel",
    dataset: "Dataset",
    items: "Items",
    split: str,
    num_samples: int | None,
    progress: Progress,
) -> np.ndarray:
    """-log p of every item, nats: of validation and test the numbers of the trial's final evaluation."""
    from iwae.evaluation.measure import measure

    progress(f"{split}: NLL", 0)
    likelihood = measure(
        model.model,
        items,
        num_samples or 1,
        scaling=dataset.scaling,
        reconstruct=False,
        purpose=split,
        progress=lambda fraction: progress(f"{split}: NLL", fraction),
    ).likelihood
    assert likelihood is not None
    log_p: np.ndarray = likelihood.log_p.numpy()
    return -log_p


# Files


def _write(
    tables: Mapping[str, Mapping[str, Any]], files: Mapping[str, Path], metadata: Mapping[str, str]
) -> None:
    """Each file is there whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, path in files.items():
        temporary = path.with_name(f".{path.name}")
        table = pa.table(dict(tables[split])).replace_schema_metadata(metadata)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, temporary)
            temporary.replace(path)
        except OSError as error:
            raise ConfigError("--out", f"{path} cannot be written: {error.strerror or error}") from None
        finally:
            temporary.unlink(missing_ok=True)
