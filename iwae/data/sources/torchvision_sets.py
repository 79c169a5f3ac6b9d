"""MNIST, Fashion-MNIST and Omniglot as torchvision stores them; torchvision is imported only here."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iwae.config.catalogue import CATALOGUE
from iwae.data.classes import classes_of
from iwae.data.dataset import RawSplits
from iwae.errors import DataError


def read_torchvision(name: str, root: Path, *, download: bool) -> RawSplits:
    """Train and test images of ``name`` under ``root``: uint8 ``[N, 28, 28]``, ink bright; with labels.

    Omniglot's are torchvision's background and evaluation alphabets, 105×105, shrunk to 28×28: another
    split and another size than those of Burda et al. 2016. Its labels are the alphabets.

    Raises:
        DataError: the set is not there and is not, or cannot be, downloaded; or its files are damaged.
    """
    source = CATALOGUE[name].torchvision
    assert source is not None, f"{name} is no set of torchvision's"
    folder = root / source.folder
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return _read(source.kind, root, download)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        _remove_empty(new)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if not download and "not found" in reason.lower():
            reason = "it is not there"
        fix = "put its files there, or let it be downloaded" if not download else "put its files there"
        raise DataError(
            f"data.name: {name} cannot be read from {folder} ({reason}): {fix};"
            " IWAE_DATA_DIR names another folder"
        ) from None


def _remove_empty(folders: list[Path]) -> None:
    """Take back the folders that torchvision made for a download that failed, innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # never made, or part of a download is in it
            continue


def _read(kind: str, root: Path, download: bool) -> RawSplits:
    from torchvision import datasets

    images: Any = getattr(datasets, kind)
    if kind == "Omniglot":
        parts = [images(str(root), background=b, download=download) for b in (True, False)]
        labels, alphabets = _alphabets(dict(zip(("train", "test"), parts, strict=True)))
        return RawSplits(_shrink(parts[0]), None, _shrink(parts[1]), labels, alphabets)
    train, test = (images(str(root), train=t, download=download) for t in (True, False))
    labels = {"train": train.targets.numpy(), "test": test.targets.numpy()}
    # MNIST's are "0 - zero" and so on.
    names = tuple(name.split(" - ")[0] for name in train.classes)
    return RawSplits(train.data.numpy(), None, test.data.numpy(), labels, names)


def _alphabets(parts: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The alphabet of every character image: no alphabet is in both parts."""
    found = {}
    for split, part in parts.items():
        # "Latin/character01" of the character that an image, in the order of the set, is of.
        characters = [part._characters[character] for _, character in part._flat_character_images]
        found[split] = np.array([Path(character).parts[0] for character in characters])
    return classes_of(found, None, "omniglot")


def _shrink(images: Any) -> np.ndarray:
    height, width = CATALOGUE["omniglot"].layout.shape
    shrunk = [255 - np.asarray(image.convert("L").resize((width, height), resample=4)) for image, _ in images]
    return np.stack(shrunk).astype(np.uint8)
