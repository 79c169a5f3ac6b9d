"""Which of a source's items are trained on, held out and tested on."""

from typing import NamedTuple

import numpy as np

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.data.dataset import Origin, RawSplits
from iwae.errors import ConfigError, DataError


class Place(NamedTuple):
    """Which items of a source's array are a split's."""

    source: str
    items: slice
    number: int

    def of(self, raw: RawSplits) -> np.ndarray:
        """The split's items."""
        array: np.ndarray = getattr(raw, self.source)[self.items]
        return array

    def labels_of(self, raw: RawSplits) -> np.ndarray:
        """The split's labels, a copy."""
        assert raw.labels is not None
        return np.array(raw.labels[self.source][self.items], dtype=np.int64)

    def attributes_of(self, raw: RawSplits) -> np.ndarray:
        """The split's attributes, float32."""
        assert raw.attributes is not None
        return np.array(raw.attributes[self.source][self.items], dtype=np.float32)

    def origin(self, raw: RawSplits) -> Origin:
        """Where the split's items stand in the source."""
        rows = np.arange(len(getattr(raw, self.source))) if raw.rows is None else raw.rows[self.source]
        return Origin(self.source, rows[self.items])


def places(raw: RawSplits, config: DataConfig) -> dict[str, Place]:
    """Where each split is found; validation is the end of the training items where it has no array.

    Raises:
        ConfigError: more items are held out or asked for than there are.
        DataError: a split that is measured on has fewer than two items.
    """
    number, validation = len(raw.train), raw.validation
    if validation is not None and config.num_validation is not None:
        raise ConfigError(
            "data.num_validation",
            f"{config.num_validation} is not allowed: must be left out, the file has validation items",
        )
    if validation is None:
        held_out = config.num_validation or CATALOGUE[config.name].held_out(number)
        if held_out >= number:
            raise ConfigError(
                "data.num_validation",
                f"{held_out} is not allowed: must be < {number}, the training items of {config.name}",
            )
        number -= held_out
        held = Place("train", slice(number, None), held_out)
    else:
        held = Place("validation", slice(None), len(validation))
    if config.num_train is not None and config.num_train > number:
        raise ConfigError(
            "data.num_train",
            f"{config.num_train} is not allowed: must be <= {number}: {config.name} has no more",
        )
    number = config.num_train or number
    found = {
        "train": Place("train", slice(number), number),
        "validation": held,
        "test": Place("test", slice(None), len(raw.test)),
    }
    for name in ("validation", "test"):
        if found[name].number < 2:
            raise DataError(
                f"{config.name}: {name} has {found[name].number} items: must be >= 2 to have a spread"
            )
    return found
