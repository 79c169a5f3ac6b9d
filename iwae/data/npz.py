"""The user's own images: an .npz file with the arrays train, test and, if there is one, validation.

What a file promises is compared with what it holds, and with this machine's memory, before it is unpacked.
"""

import contextlib
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from iwae.data.units import in_bytes
from iwae.errors import DataError
from iwae.randomness import permutation

VALIDATION_NAMES = ("validation", "valid", "val")
# Images are compressed 100 times at most; a file that unpacks to more than this was made to fill memory.
MAX_COMPRESSION, COMPRESSION_CHECKED_ABOVE = 500, 2**26
# Of the machine's memory: bytes, their binarized copy and the model have to fit as well.
MAX_MEMORY_SHARE = 0.25
_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, SyntaxError, RuntimeError, NotImplementedError),
    *(EOFError, MemoryError, RecursionError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


class Images(NamedTuple):
    """The arrays of a file as uint8 ``[N, ...]``, 0 (background) to 255; validation may be missing."""

    train: np.ndarray
    validation: np.ndarray | None
    test: np.ndarray


class _Header(NamedTuple):
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype


def read_npz(path: Path, *, shuffled: bool = False) -> Images:
    """Train, validation (or None) and test.

    ``bool`` arrays, and ``uint8`` arrays of 0 and 1 alone, are binary pixels and become 0 and 255; other
    ``uint8`` arrays are intensities 0 … 255. Nothing is unpickled.

    Args:
        path: the file.
        shuffled: mix the images of each array by a permutation that is the same every time.

    Raises:
        DataError: the file is missing or not an .npz file; an array is missing, empty, of another type or
            another image shape than ``train``, has a name that says nothing, or is in a unit that cannot be
            told; or the images do not fit in memory.
    """
    with _opened(path) as archive:
        _, names = _checked(archive, path)
        arrays = {split: _array(archive, name, path) for split, name in names.items()}
    images = in_bytes(arrays, path)
    if shuffled:
        images = {split: array[permutation(len(array), f"npz/{split}")] for split, array in images.items()}
    return Images(images["train"], images.get("validation"), images["test"])


def split_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """``(N, X)`` or ``(N, H, W)`` of each split, from the arrays' headers alone.

    Raises:
        DataError: as ``read_npz``, as far as headers tell.
    """
    with _opened(path) as archive:
        headers, names = _checked(archive, path)
    return {split: headers[name].shape for split, name in names.items()}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The file, whose reader's errors become one line."""
    if not path.is_file():
        raise DataError(f"data.path: {path} is not allowed: must be an .npz file that exists")
    if not zipfile.is_zipfile(path):
        raise DataError(f"data.path: {path} cannot be read as an .npz file: must be what numpy.savez writes")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(f"data.path: {path} cannot be read as an .npz file: {_one_line(error)}") from None


def _checked(archive: zipfile.ZipFile, path: Path) -> tuple[dict[str, _Header], dict[str, str]]:
    """The headers of all arrays, and the name of each split's."""
    headers = _headers(archive, path)
    names = _names(headers, path)
    _check_shapes(headers, names, path)
    return headers, names


def _headers(archive: zipfile.ZipFile, path: Path) -> dict[str, _Header]:
    """The headers of all arrays of the file; of their content nothing is unpacked."""
    found = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if info.flag_bits & 1:
            raise DataError(f"data.path: {path} is encrypted: must be what numpy.savez writes")
        try:
            with archive.open(info) as file:
                version = npy.read_magic(file)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(file)
                held = info.file_size - file.tell()
        except _UNREADABLE as error:
            raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from None
        promised = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and promised != held:
            raise DataError(
                f"{path}: {name} is torn: the shape {shape} needs {promised} bytes, it has {held}"
            )
        if held > COMPRESSION_CHECKED_ABOVE and held > MAX_COMPRESSION * max(info.compress_size, 1):
            raise DataError(
                f"{path}: {name} unpacks to {held:,} bytes from {info.compress_size:,}: must be images,"
                f" which are compressed less than {MAX_COMPRESSION} times"
            )
        found[name] = _Header(shape, dtype)
    return found


def _names(headers: Mapping[str, _Header], path: Path) -> dict[str, str]:
    """The name in the file of each split; arrays beside them, such as labels, must not look like images."""
    for name in ("train", "test"):
        if name not in headers:
            raise DataError(
                f"{path}: the array {name} is missing: the file has {', '.join(headers) or 'none'}"
            )
    named = [name for name in VALIDATION_NAMES if name in headers]
    if len(named) > 1:
        raise DataError(f"{path}: has {' and '.join(named)}: must have one array of validation images")
    names = {"train": "train", **({"validation": named[0]} if named else {}), "test": "test"}
    for name, header in headers.items():
        looks_like_images = len(header.shape) > 1 and header.shape[1:] == headers["train"].shape[1:]
        if looks_like_images and name not in names.values():
            raise DataError(
                f"{path}: the array {name} has images and is not used: must be named train, validation or"
                " test, or be left out"
            )
    return names


def _check_shapes(headers: Mapping[str, _Header], names: Mapping[str, str], path: Path) -> None:
    image_shape, total = headers["train"].shape[1:], 0
    for name in names.values():
        shape, dtype = headers[name]
        if dtype not in (np.dtype(np.uint8), np.dtype(np.bool_)):
            raise DataError(f"{path}: {name} is {dtype}: must be uint8 (0 to 255) or bool")
        if len(shape) not in (2, 3) or 0 in shape:
            raise DataError(f"{path}: {name} has the shape {shape}: must be [N, X] or [N, H, W], not empty")
        if shape[1:] != image_shape:
            raise DataError(f"{path}: {name} has images of {shape[1:]}: must be {image_shape} as in train")
        total += math.prod(shape)
    most = int(MAX_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if total > most:
        raise DataError(
            f"{path}: has {total:,} bytes of images: must be <= {most:,}, a quarter of the memory"
        )


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    try:
        with archive.open(f"{name}.npy") as file:
            array: np.ndarray = npy.read_array(file, allow_pickle=False)
            return array
    except _UNREADABLE as error:
        raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
