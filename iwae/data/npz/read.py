"""Items, labels and names from an .npz file."""

import zipfile
from pathlib import Path

from iwae.data.continuous.refusals import refuse_not_finite
from iwae.data.dataset import RawSplits
from iwae.data.npz.archive import array_in, opened
from iwae.data.npz.contents import FEATURE_NAMES, Contents, contents_of
from iwae.data.npz.facts import labels_of
from iwae.data.units import in_bytes
from iwae.errors import DataError
from iwae.randomness import permutation


def read_npz(path: Path, *, shuffled: bool = False) -> RawSplits:
    """The items of a file, channels of an image last, with their labels.

    ``bool`` arrays, and ``uint8`` arrays of 0 and 1 alone, are binary pixels and become 0 and 255; other
    ``uint8`` arrays are intensities 0 … 255. Floats stay as they are. Nothing is unpickled.

    Args:
        path: the file, with the arrays ``train``, ``test`` and, if there is one, ``validation``; for each
            or none of them ``<split>_labels``, text or whole numbers ``[N]``, and ``<split>_attributes``,
            numbers ``[N, Y]``; ``label_names`` and ``feature_names``.
        shuffled: mix the items of each array by a permutation that is the same every time.

    Raises:
        DataError: the file is missing or not an .npz file; ``contents_of`` refuses it; pixels are in a unit
            that cannot be told; a float is NaN or infinite; or labels and names do not fit.
    """
    with opened(path) as archive:
        contents = contents_of(archive, path)
        names = _feature_names(archive, contents, path)
        arrays = {split: array_in(archive, name, path) for split, name in contents.splits.items()}
        if contents.floats:
            for split, array in arrays.items():
                refuse_not_finite(array, f"{path}: {contents.splits[split]}", names)
        else:
            arrays = in_bytes(arrays, path)
        labels, label_names = labels_of(archive, contents, path)
        attributes = {split: array_in(archive, name, path) for split, name in contents.attributes.items()}
    for split, array in attributes.items():
        refuse_not_finite(array, f"{path}: {contents.attributes[split]}")
    items = {split: contents.arrangement.items(array) for split, array in arrays.items()}
    orders = None
    if shuffled:
        orders = {split: permutation(len(array), f"npz/{split}") for split, array in items.items()}
        items = {split: array[orders[split]] for split, array in items.items()}
        labels = {split: array[orders[split]] for split, array in labels.items()}
        attributes = {split: array[orders[split]] for split, array in attributes.items()}
    splits = items["train"], items.get("validation"), items["test"]
    return RawSplits(*splits, labels or None, label_names, names, orders, attributes or None)


def _feature_names(archive: zipfile.ZipFile, contents: Contents, path: Path) -> tuple[str, ...]:
    if FEATURE_NAMES not in contents.headers:
        return ()
    width = contents.arrangement.layout.num_pixels
    shape, dtype = contents.headers[FEATURE_NAMES]
    if shape != (width,) or dtype.kind not in "US":
        raise DataError(
            f"{path}: {FEATURE_NAMES} has the shape {shape} of {dtype}: must be text [{width}],"
            " a name a feature"
        )
    return tuple(array_in(archive, FEATURE_NAMES, path).astype(str).tolist())
