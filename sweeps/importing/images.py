"""A folder of images. Subfolders are classes; folders called train, validation and test are splits."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from iwae.errors import DataError
from sweeps.importing.source import (
    SPLIT_WORDS,
    SPLITS,
    WHOLE,
    Part,
    Reading,
    Source,
    listed,
    one_line,
    refuse_unused,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"]
)
_DEEP = frozenset(("I;16", "I;16B", "I;16L", "I;16N", "I", "F"))


class _File(NamedTuple):
    path: Path
    split: str
    label: str | None


def read_images(folder: Path, reading: Reading) -> Source:
    """Images of one size, gray ``[N, H, W]`` or in colour ``[N, H, W, C]``; labels are names of folders.

    An alpha channel that hides nothing is left out. Gray images of 16 bits stay 0 ... 65,535, as floats.

    Raises:
        DataError: there is no image, one cannot be read, sizes or kinds differ, or images lie beside classes.
    """
    refuse_unused(reading, "a folder of images", ("resize",))
    files, others = _files(folder)
    arrays = _pixels(files, reading.resize)
    by_split = {split: np.array([file.split == split for file in files]) for split in (*SPLITS, WHOLE)}
    labels = np.array([file.label or "" for file in files])
    labelled = {split: bool(labels[rows].all()) for split, rows in by_split.items() if rows.any()}
    whole = Part(arrays, labels if all(labelled.values()) else None)
    notes = [f"left out: {listed(others)}"] if others else []
    if any(labelled.values()) and not all(labelled.values()):
        without = [split for split, there in labelled.items() if not there]
        notes.append(f"classes are left out: {' and '.join(without)} has none")
    parts = {split: whole.take(by_split[split]) for split in labelled}
    return Source(f"a folder of {len(files):,} images", parts, notes=tuple(notes), channels="last")


# Files


def _files(folder: Path) -> tuple[list[_File], list[str]]:
    """The images in order, and the names of what is none."""
    splits = {entry: SPLIT_WORDS.get(entry.name.lower()) for entry in _entries(folder) if entry.is_dir()}
    others: list[str] = []
    found: list[_File] = []
    if any(splits.values()):
        strange = [entry.name for entry in _entries(folder) if not splits.get(entry) and _has_images(entry)]
        if strange:
            raise DataError(
                f"{folder}: {listed(strange)} is no split and lies beside one: must be in train,"
                " validation or test"
            )
        taken = [split for split in splits.values() if split]
        twice = [split for split in SPLITS if taken.count(split) > 1]
        if twice:
            names = [entry.name for entry, split in splits.items() if split == twice[0]]
            raise DataError(f"{folder}: {' and '.join(names)} are both {twice[0]}: must be one folder")
        for entry, split in splits.items():
            if split:
                found += _of_split(entry, split, others)
    else:
        found = _of_split(folder, WHOLE, others)
    if not found:
        what = f": it has {listed(others)}" if others else ""
        raise DataError(f"{folder} has no images{what}: must hold {', '.join(sorted(SUFFIXES))} files")
    return found, others


def _of_split(folder: Path, split: str, others: list[str]) -> list[_File]:
    images = [entry for entry in _entries(folder) if entry.is_file() and _is_image(entry)]
    others += [entry.name for entry in _entries(folder) if entry.is_file() and not _is_image(entry)]
    classes = [entry for entry in _entries(folder) if entry.is_dir() and _has_images(entry)]
    if images and classes:
        raise DataError(
            f"{folder}: {images[0].name} lies beside the folder {classes[0].name}: images must all be in"
            " folders of their classes, or none"
        )
    of_classes = [
        _File(path, split, name.name)
        for name in classes
        for path in sorted(name.rglob("*"))
        if path.is_file() and _is_image(path)
    ]
    return of_classes or [_File(path, split, None) for path in images]


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, in order, without what file managers leave there."""
    hidden = ("__MACOSX", "Thumbs.db", "desktop.ini")
    return sorted(e for e in folder.iterdir() if not e.name.startswith(".") and e.name not in hidden)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _has_images(entry: Path) -> bool:
    if entry.is_dir():
        return any(_is_image(path) for path in entry.rglob("*"))
    return _is_image(entry)


# Pixels


def _pixels(files: Sequence[_File], resize: tuple[int, int] | None) -> np.ndarray:
    """All images in one array, of the narrowest kind that holds them all."""
    arrays = [_array(file.path, resize) for file in files]
    first = arrays[0].shape[:2]
    for file, array in zip(files, arrays, strict=True):
        if array.shape[:2] != first:
            (h, w), (height, width) = first, array.shape[:2]
            raise DataError(
                f"{file.path} is {height} × {width} and {files[0].path.name} {h} × {w}: must be of one size"
                f" (--resize {h}x{w} brings all to one)"
            )
    deep = [array.dtype != np.uint8 and array.dtype != np.bool_ for array in arrays]
    if any(deep) and not all(deep):
        one, other = files[deep.index(True)].path, files[deep.index(False)].path
        raise DataError(
            f"{one} has more than 8 bits and {other.name} 8 bits: must be one unit: convert one of the two"
        )
    channels = max(array.shape[2] for array in arrays)
    if channels == 4 and all(array.shape[2] < 4 or (array[..., 3] == 255).all() for array in arrays):
        channels = 3
    dtype = np.result_type(*{array.dtype for array in arrays})
    scaled = [
        array * np.uint8(255) if array.dtype == np.bool_ and dtype != np.bool_ else array for array in arrays
    ]
    together = np.stack([_with_channels(array, channels) for array in scaled])
    return together[..., 0] if channels == 1 else together


def _array(path: Path, resize: tuple[int, int] | None) -> np.ndarray:
    """An image ``[H, W, C]``: bool or uint8, or float32 where it has more than 8 bits; C is 1, 3 or 4."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # loads for a tenth of a second

    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            with Image.open(path) as opened:
                # A telephone's JPEG may have a second image beside it, which is no other picture.
                if (frames := getattr(opened, "n_frames", 1)) > 1 and opened.format != "MPO":
                    raise DataError(f"{path} holds {frames} images: must be one image a file")
                image = ImageOps.exif_transpose(opened)
                assert image is not None
            image = _plain(image)
            if resize is not None and image.size != resize[::-1]:
                softened = image.convert("L") if image.mode == "1" else image
                image = softened.resize(resize[::-1], Image.Resampling.BILINEAR)
            array = np.asarray(image)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{path} cannot be read: it is no image that Pillow knows, or it is torn") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise DataError(f"{path} cannot be read: {one_line(error)}: must be an image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read: {one_line(error)}") from None
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.bool_)):
        array = array.astype(np.float32)
    array = array[..., None] if array.ndim == 2 else array
    colour = array.shape[2] >= 3 and not (array[..., :1] == array[..., :3]).all()
    opaque = array.shape[2] != 4 or bool((array[..., 3] == 255).all())
    return array if colour or not opaque or array.shape[2] == 1 else array[..., :1]


def _plain(image: "Image") -> "Image":
    """The image without palette, in black and white, gray, RGB or RGBA, or in more than 8 bits."""
    if image.mode in _DEEP or image.mode in ("1", "L", "RGB", "RGBA"):
        return image
    transparent = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa")
    return image.convert("RGBA" if transparent else "RGB")


def _with_channels(array: np.ndarray, channels: int) -> np.ndarray:
    """Gray as colour, colour as opaque."""
    if array.shape[2] == 1 and channels > 1:
        array = np.repeat(array, 3, axis=2)
    if array.shape[2] == 3 and channels == 4:
        return np.concatenate([array, np.full_like(array[..., :1], 255)], axis=2)
    return array[..., :channels]
