"""Data sets by name: three splits, what an item is, labels, scaling and a hash.

The whole set is on the device, images as ``uint8``; ``iwae.data.pixels`` makes minibatches of it there.
"""

from pathlib import Path

import torch

from iwae.config.data import TABLES, DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.continuous.scaled import scaled
from iwae.data.dataset import SPLITS, Dataset, Labels, RawSplits, content_hash
from iwae.data.location import data_root, npz_path
from iwae.data.npz.read import read_npz
from iwae.data.pixels import refuse_binary, refuse_gray
from iwae.data.sources.digits import read_digits
from iwae.data.sources.known_mixture import MIXTURE_2D, read_mixture
from iwae.data.sources.tables import read_table
from iwae.data.sources.torchvision_sets import read_torchvision
from iwae.data.split import Place, places
from iwae.errors import DataError


def load_dataset(
    config: DataConfig, *, root: Path | None = None, download: bool = False, moved: bool = False
) -> Dataset:
    """The data set that ``config`` names, split.

    Args:
        config: the set, its validation size, how many training items to use and how floats are scaled.
        root: the folder of the torchvision sets; None takes ``data_root()``.
        download: fetch a torchvision set that is not there, with progress on standard error.
        moved: where the file of ``npz`` is not there, take the one of this name in ``data_root()``; for
            callers that compare the content with what it was.

    Raises:
        DataError: the set is missing or malformed, or cannot be scaled.
        ConfigError: the split that ``config`` asks for leaves no training item.
    """
    if config.name == "npz":
        raw = read_npz(npz_path(config, moved=moved), shuffled=config.order == "shuffled")
    elif config.name == "digits":
        raw = read_digits()
    elif config.name == "mixture-2d":
        raw = read_mixture()
    elif config.name in TABLES:
        raw = read_table(config.name)
    else:
        raw = read_torchvision(config.name, root or data_root(), download=download)
    found = places(raw, config)
    items = {split: found[split].of(raw) for split in SPLITS}
    rows = {split: array.reshape(len(array), -1) for split, array in items.items()}
    shape = items["train"].shape[1:]
    name = config.path or config.name
    values, scaling = scaled(rows, config.scaling, name, raw.feature_names)
    return Dataset(
        **{split: torch.from_numpy(array) for split, array in values.items()},
        layout=Layout(shape, _num_attributes(raw), raw.attributes is None),
        name=name,
        content_hash=content_hash(list(rows.values())),
        measured=content_hash([rows["validation"], rows["test"]]) if scaling is not None else None,
        labels=None if raw.labels is None else _labels(raw, found),
        attributes=None if raw.attributes is None else _attributes(raw, found),
        scaling=scaling,
        feature_names=raw.feature_names,
        origins={split: found[split].origin(raw) for split in SPLITS},
        density=MIXTURE_2D if config.name == "mixture-2d" else None,
    )


def suit(dataset: Dataset, config: TrainConfig) -> None:
    """Refuse data that the likelihood cannot be a density of, or that lack what the model is told.

    Raises:
        ConfigError: the model cannot be built for such items.
        DataError: the pixels are gray and the likelihood Bernoulli, or binary and the likelihood Gaussian;
            floats meet a likelihood of pixels, or pixels what is for floats; or the model is conditional and
            the set has no labels.
    """
    config.model.check_layout(dataset.layout)
    if config.model.conditional and not dataset.told_hash:
        raise DataError(
            f"model.name: {config.model.name} needs labels or attributes, and {dataset.name} has none"
        )
    _suit_observation_std(dataset, config)
    if not dataset.holds_bytes:
        _refuse_as_pixels(dataset, config)
        return
    if config.data.scaling != "none":
        raise DataError(
            f"data.scaling: {config.data.scaling} is not allowed: must be none, {dataset.name} has pixels,"
            " and only floats are scaled"
        )
    if config.data.binarization != "none":
        return
    for split in SPLITS:
        images = getattr(dataset, split)
        if config.model.likelihood == "bernoulli":
            refuse_gray(images, dataset.name)
        else:
            refuse_binary(images, dataset.name, config.model.likelihood)


def _suit_observation_std(dataset: Dataset, config: TrainConfig) -> None:
    given = getattr(config.model, "observation_std", None)
    if isinstance(given, tuple) and len(given) != dataset.layout.num_pixels:
        raise DataError(
            f"model.observation_std: {len(given)} numbers are not allowed: must be one, or"
            f" {dataset.layout.num_pixels}, the features of {dataset.name}"
        )


def _refuse_as_pixels(dataset: Dataset, config: TrainConfig) -> None:
    """Refuse what is for pixels of a set of floats."""
    model, data = config.model, config.data
    if data.binarization != "none":
        raise DataError(
            f"data.binarization: {data.binarization} is not allowed: must be none, {dataset.name} has floats"
        )
    if data.dequantization != "none":
        raise DataError(
            f"data.dequantization: {data.dequantization} is not allowed: must be none, {dataset.name} has"
            " floats, and only bytes are dequantized"
        )
    if config.measure != "density":
        raise DataError(
            f"model.likelihood: {model.likelihood} is not allowed: must be gaussian,"
            f" {dataset.name} has floats"
        )


def _labels(raw: RawSplits, found: dict[str, Place]) -> Labels:
    classes = {split: torch.from_numpy(found[split].labels_of(raw)) for split in SPLITS}
    return Labels(**classes, names=raw.label_names)


def _attributes(raw: RawSplits, found: dict[str, Place]) -> dict[str, torch.Tensor]:
    return {split: torch.from_numpy(found[split].attributes_of(raw)) for split in SPLITS}


def _num_attributes(raw: RawSplits) -> int:
    """What a conditional model is told of an item: attributes, or its class where there are several."""
    if raw.attributes is not None:
        return int(raw.attributes["train"].shape[1])
    return len(raw.label_names) if len(raw.label_names) > 1 else 0
