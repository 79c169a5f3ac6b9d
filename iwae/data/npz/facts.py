"""What is known of an .npz file before its items are read; without PyTorch."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iwae.config.layout import Layout
from iwae.data.classes import classes_of
from iwae.data.npz.archive import array_in, opened
from iwae.data.npz.contents import LABEL_NAMES, Contents, contents_of


class NpzFacts(NamedTuple):
    """What is known of a file without reading its items.

    Attributes:
        sizes: items of each split.
        layout: of an item; its attributes are those of the file, or the classes of its labels.
        floats: whether items are floats, and not pixels.
    """

    sizes: dict[str, int]
    layout: Layout
    floats: bool


def npz_facts(path: Path) -> NpzFacts:
    """What the headers of a file's arrays tell, and its labels.

    Raises:
        DataError: as ``read_npz``, as far as that tells.
    """
    with opened(path) as archive:
        contents = contents_of(archive, path)
        _, names = labels_of(archive, contents, path)
    sizes = {split: contents.number(split) for split in contents.splits}
    told = contents.num_attributes or (len(names) if len(names) > 1 else 0)
    layout = Layout(contents.arrangement.layout.shape, told, not contents.attributes)
    return NpzFacts(sizes, layout, contents.floats)


def labels_of(
    archive: zipfile.ZipFile, contents: Contents, path: Path
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Classes int64 ``[N]`` by split, and their names; none where the file has no labels.

    Raises:
        DataError: they are no classes.
    """
    if not contents.labels:
        return {}, ()
    arrays = {split: array_in(archive, name, path) for split, name in contents.labels.items()}
    names = array_in(archive, LABEL_NAMES, path) if LABEL_NAMES in contents.headers else None
    return classes_of(arrays, names, str(path))
