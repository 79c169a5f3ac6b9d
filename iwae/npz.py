"""The user's own images: an .npz file with the arrays train, test and, if there is one, validation."""

import zipfile
from pathlib import Path

import numpy as np

from iwae.errors import DataError


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Train, validation (or None) and test, each uint8 ``[N, H, W]``; flat images are one row high.

    ``bool`` arrays are binary pixels (0 or 255), ``uint8`` arrays intensities 0 … 255. Nothing is unpickled.

    Raises:
        DataError: the file is missing or not an .npz file, an array is missing, empty, of another type
            or of another image shape than ``train``.
    """
    if not path.is_file():
        raise DataError(f"data.path: {path} is not allowed: must be an .npz file that exists")
    if not zipfile.is_zipfile(path):
        raise DataError(f"data.path: {path} cannot be read as an .npz file: must be what numpy.savez writes")
    try:
        file = np.load(path, allow_pickle=False)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"data.path: {path} cannot be read as an .npz file: {_one_line(error)}") from None
    with file:
        train = _array(file, path, "train")
        test = _array(file, path, "test")
        validation = _array(file, path, "validation") if "validation" in file.files else None
    for name, array in (("test", test), ("validation", validation)):
        if array is not None and array.shape[1:] != train.shape[1:]:
            raise DataError(
                f"{path}: {name} has images of {array.shape[1:]}: must be {train.shape[1:]} as in train"
            )
    return train, validation, test


def _array(file: np.lib.npyio.NpzFile, path: Path, name: str) -> np.ndarray:
    if name not in file.files:
        names = ", ".join(file.files) or "none"
        raise DataError(f"{path}: the array {name} is missing: the file has {names}")
    try:
        array = file[name]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from None
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.bool_)):
        raise DataError(f"{path}: {name} is {array.dtype}: must be uint8 (0 to 255) or bool")
    if array.ndim not in (2, 3) or array.size == 0:
        raise DataError(f"{path}: {name} has the shape {array.shape}: must be [N, X] or [N, H, W], not empty")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    return array[:, None, :] if array.ndim == 2 else array


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
