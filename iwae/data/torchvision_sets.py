"""MNIST, Fashion-MNIST and Omniglot as torchvision stores them; torchvision is imported only here."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from iwae.config.catalogue import CATALOGUE
from iwae.data.dataset import RawSplits
from iwae.errors import DataError


def read_torchvision(name: str, root: Path, *, download: bool) -> RawSplits:
    """Train and test images of ``name`` under ``root``: uint8 ``[N, 28, 28]``, ink bright; with labels.

    Omniglot's are torchvision's background and evaluation alphabets, 105×105, shrunk to 28×28: another
    split and another size than those of Burda et al. 2016.

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
        return RawSplits(_shrink(parts[0]), None, _shrink(parts[1]))
    train, test = (images(str(root), train=t, download=download) for t in (True, False))
    labels = {"train": train.targets.numpy(), "test": test.targets.numpy()}
    names = tuple(name.split(" - ")[-1] if kind == "MNIST" else name for name in train.classes)
    return RawSplits(train.data.numpy(), None, test.data.numpy(), labels, names)


def _shrink(images: Any) -> np.ndarray:
    height, width = CATALOGUE["omniglot"].layout.shape
    shrunk = [255 - np.asarray(image.convert("L").resize((width, height), resample=4)) for image, _ in images]
    return np.stack(shrunk).astype(np.uint8)
