"""Where data sets are looked for; without PyTorch, so that a missing file is told at once."""

import os
from pathlib import Path

from iwae.config.data import DataConfig
from iwae.errors import DataError


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
