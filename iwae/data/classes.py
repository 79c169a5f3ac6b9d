"""Labels as classes 0, 1, …, with names."""

from collections.abc import Mapping

import numpy as np

from iwae.errors import DataError

# What has more classes is no classification: a number of the item, or its name.
MAX_CLASSES = 10_000


def classes_of(
    labels: Mapping[str, np.ndarray], names: np.ndarray | None, where: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels as int64 ``[N]`` from 0, and the names of the classes.

    Args:
        labels: by split, text or whole numbers ``[N]``.
        names: of the classes: number i is ``names[i]``, and text is one of them. None takes the different
            labels in order, and what they are as their names.
        where: the file, for errors.

    Raises:
        DataError: a label is none of ``names``, two names are the same, or there are too many classes.
    """
    text: dict[str, np.ndarray] = {split: values.astype(_kind(values)) for split, values in labels.items()}
    if names is None:
        different = np.unique(np.concatenate([np.unique(values) for values in text.values()]))
    else:
        different = _checked_names(names, where)
    if len(different) > MAX_CLASSES:
        raise DataError(f"{where}: the labels have {len(different):,} classes: must be <= {MAX_CLASSES:,}")
    by_number = names is not None and next(iter(text.values())).dtype.kind != "U"
    found = {}
    for split, values in text.items():
        numbers = values if by_number else _positions(values, different)
        wrong = (numbers < 0) | (numbers >= len(different))
        if wrong.any():
            first = int(np.argmax(wrong))
            allowed = f"0 to {len(different) - 1}" if by_number else "one of label_names"
            raise DataError(f"{where}: {split}_labels[{first}] is {values[first]}: must be {allowed}")
        found[split] = numbers
    return found, tuple(str(name) for name in different)


def _kind(values: np.ndarray) -> type:
    return str if values.dtype.kind in "US" else np.int64


def _positions(values: np.ndarray, different: np.ndarray) -> np.ndarray:
    """Where each value stands among the different ones; −1 where it does not."""
    order = np.argsort(different)
    places = np.minimum(np.searchsorted(different[order], values), len(different) - 1)
    found: np.ndarray = np.where(different[order][places] == values, order[places], -1).astype(np.int64)
    return found


def _checked_names(names: np.ndarray, where: str) -> np.ndarray:
    if names.ndim != 1 or names.dtype.kind not in "US" or len(names) == 0:
        raise DataError(
            f"{where}: label_names has the shape {names.shape} of {names.dtype}: must be text [Y]"
        )
    text = names.astype(str)
    if len(set(text.tolist())) < len(text):
        raise DataError(f"{where}: label_names has a name twice: must be different")
    return text
