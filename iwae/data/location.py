"""Where data sets are looked for; without PyTorch, so that a missing file is told at once."""

import os
from pathlib import Path

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.errors import DataError

_PACKED = (".gz",)  # what torchvision downloaded and unpacked beside it


def data_root() -> Path:
    """The folder of the data sets: ``IWAE_DATA_DIR``, else ``~/.cache/iwae``."""
    return Path(os.environ.get("IWAE_DATA_DIR") or "~/.cache/iwae").expanduser()


def npz_path(config: DataConfig, *, moved: bool = False) -> Path:
    """The file of ``npz``.

    Args:
        config: which one.
        moved: where it is not there, take the one of this name in ``data_root()``.

    Raises:
        DataError: there is no such file.
    """
    path = Path(config.path or "").expanduser()
    elsewhere = data_root() / path.name
    found = elsewhere if moved and not path.is_file() and elsewhere.is_file() else path
    if not found.is_file():
        raise DataError(f"data.path: {found} is not allowed: must be an .npz file that exists")
    return found


def files_of(config: DataConfig) -> dict[str, Path]:
    """The files that a data set is read from, by their paths below ``data_root()``.

    None for digits, which a package brings. The file of ``npz`` is found below ``data_root()`` by its name.

    Raises:
        DataError: they are not there.
    """
    if config.name == "npz":
        path = npz_path(config, moved=True)
        return {path.name: path}
    source = CATALOGUE[config.name].torchvision
    if source is None:
        return {}
    root = data_root()
    there = (path for path in (root / source.folder).rglob("*") if path.suffix not in _PACKED)
    found = {path.relative_to(root).as_posix(): path for path in sorted(there) if path.is_file()}
    if not found:
        raise DataError(
            f"data.name: {config.name} is not in {root / source.folder}: IWAE_DATA_DIR names another folder"
        )
    return found
