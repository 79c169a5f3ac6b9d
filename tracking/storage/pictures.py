"""The arrays for pictures that complete trials left in storage."""

import io
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from tracking.storage.sweep import SweepStorage


class StoredPictures(Mapping[str, Mapping[str, np.ndarray]]):
    """The arrays of a sweep's complete trials by key, each read when it is asked for."""

    def __init__(self, storage: SweepStorage, keys: Iterable[str]) -> None:
        self._storage = storage
        self._keys = dict.fromkeys(keys)

    def __getitem__(self, key: str) -> Mapping[str, np.ndarray]:
        if key not in self._keys:
            raise KeyError(key)
        unit = self._storage.trial(key).newest()
        if unit is None or unit.pictures is None:
            return {}
        with np.load(io.BytesIO(unit.pictures), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
