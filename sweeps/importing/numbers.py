"""From what a source holds to items that a model takes: one layout, one dtype, every number finite.

Nothing is guessed: bytes in no certain unit are refused; whole numbers of another dtype, and floats, stay
numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from iwae.data.units import DARKEST_WHITE, in_bytes
from iwae.errors import ConfigError, DataError
from sweeps.importing.source import Kind, Part, Reading, Source

MOST_CHANNELS = 4


@dataclass(frozen=True)
class Read:
    """A source whose items are ready.

    Attributes:
        source: with items ``[N, X]``, ``[N, H, W]`` or ``[N, H, W, C]``: bool, uint8, float32 or float64.
        kind: what their numbers are.
        dropped: how many items were left out because something is missing.
    """

    source: Source
    kind: Kind
    dropped: int


def ready(source: Source, reading: Reading, path: Path) -> Read:
    """The items of a source, checked.

    Raises:
        DataError: shapes differ or say nothing, numbers are complex or no numbers, bytes are in no certain
            unit, or something is missing and is not to be left out.
    """
    parts, notes = _one_layout(
        _shaped(source.parts, reading.shape),
        "last" if reading.shape else reading.channels or source.channels,
        path,
    )
    parts, dropped = _complete(parts, reading, path)
    arrays, kind, more = _one_dtype({split: part.items for split, part in parts.items()}, reading, path)
    parts = {split: replace(part, items=arrays[split]) for split, part in parts.items()}
    names = source.feature_names if reading.shape is None else None  # of pixels: their places say it
    source = replace(source, parts=parts, feature_names=names, notes=(*source.notes, *notes, *more))
    return Read(source, kind, dropped)


# Layout


def _shaped(parts: Mapping[str, Part], shape: tuple[int, ...] | None) -> Mapping[str, Part]:
    """Flat pixels as images, where their shape was told."""
    if shape is None:
        return parts
    for part in parts.values():
        if part.items.ndim != 2 or part.items.shape[1] != math.prod(shape):
            told, has = "x".join(map(str, shape)), part.items.shape[1:]
            raise ConfigError("--shape", f"{told} is not allowed: an item has the shape {has}, must be flat")
    return {split: replace(part, items=part.items.reshape(-1, *shape)) for split, part in parts.items()}


def _one_layout(
    parts: Mapping[str, Part], channels: str | None, path: Path
) -> tuple[dict[str, Part], tuple[str, ...]]:
    shapes = {split: part.items.shape for split, part in parts.items()}
    for split, shape in shapes.items():
        if len(shape) < 2 or 0 in shape:
            raise DataError(f"{path}: {split} has the shape {shape}: must be [N, ...], and not empty")
    first_split, first = next(iter(shapes.items()))
    for split, shape in shapes.items():
        if shape[1:] != first[1:]:
            raise DataError(
                f"{path}: {split} has items of {shape[1:]} and {first_split} of {first[1:]}: must be of one"
                " shape"
            )
    axis, notes = _channel_axis(first[1:], channels, path)
    laid_out = {split: replace(part, items=_laid_out(part.items, axis)) for split, part in parts.items()}
    return laid_out, notes


def _channel_axis(
    shape: tuple[int, ...], channels: str | None, path: Path
) -> tuple[int | None, tuple[str, ...]]:
    """Which axis of ``[N, ...]`` holds channels, None where none does."""
    if len(shape) != 3:
        if channels == "first":
            raise DataError(f"{path}: --channels first: items of {shape} have no axis for channels")
        return None, ()
    could_be = [axis for axis in (1, 3) if shape[axis - 1] <= MOST_CHANNELS]
    if channels is not None:
        axis = 1 if channels == "first" else 3
        if axis not in could_be:
            raise DataError(
                f"{path}: --channels {channels}: items of {shape} have {shape[axis - 1]} there: must be"
                f" <= {MOST_CHANNELS}"
            )
        could_be = [axis]
    if len(could_be) > 1:
        raise DataError(
            f"{path}: items of {shape} may have their channels first or last: must be told by --channels"
        )
    if not could_be:
        return None, ()
    return could_be[0], ((f"channels first {shape}: written channels last",) if could_be[0] == 1 else ())


def _laid_out(items: np.ndarray, axis: int | None) -> np.ndarray:
    """``[N, X]``, ``[N, H, W]`` or ``[N, H, W, C]``; one channel has no axis, what is no image is flat."""
    if axis is None:
        return items if items.ndim <= 3 else items.reshape(len(items), -1)
    last = np.moveaxis(items, axis, -1)
    return last[..., 0] if last.shape[-1] == 1 else last


# What is missing


def _complete(parts: Mapping[str, Part], reading: Reading, path: Path) -> tuple[dict[str, Part], int]:
    """The parts without the items in which something is missing, and how many these were."""
    kept, dropped = {}, 0
    for split, part in parts.items():
        bad = (
            _without_number(part.items) | _missing(part.labels, len(part)) | _missing(part.groups, len(part))
        )
        if part.attributes is not None:
            bad |= _without_number(part.attributes)
        if bad.any() and not reading.drop_missing:
            raise DataError(_what_is_missing(split, part, bad, path))
        if bad.all():
            raise DataError(f"{path}: every item of {split} has something missing: nothing is left")
        kept[split] = part.take(~bad) if bad.any() else part
        dropped += int(bad.sum())
    return kept, dropped


def _without_number(items: np.ndarray) -> np.ndarray:
    """``[N]``: which items have NaN or infinity."""
    if items.dtype.kind != "f":
        return np.zeros(len(items), bool)
    found: np.ndarray = ~np.isfinite(items).reshape(len(items), -1).all(1)
    return found


def _missing(told: np.ndarray | None, count: int) -> np.ndarray:
    """``[N]``: which labels or groups are missing: NaN, None or empty."""
    if told is None or told.dtype.kind in "biu":
        return np.zeros(count, bool)
    return np.array([value is None or value != value or str(value).strip() in ("", "<NA>") for value in told])


def _what_is_missing(split: str, part: Part, bad: np.ndarray, path: Path) -> str:
    found = []
    if part.items.dtype.kind == "f":
        for what, of in (("NaN", np.isnan), ("infinity", np.isinf)):
            hit = of(part.items).reshape(len(part), -1).any(1)
            if hit.any():
                found.append(f"{what} in {hit.sum():,}")
    if part.attributes is not None and (hit := _without_number(part.attributes)).any():
        found.append(f"no attribute in {hit.sum():,}")
    for what, told in (("label", part.labels), ("group", part.groups)):
        if (hit := _missing(told, len(part))).any():
            found.append(f"no {what} in {hit.sum():,}")
    where = f"{split} has" if split != "items" else "has"
    return (
        f"{path}: {where} {' and '.join(found)} of {len(part):,} items (the first is number"
        f" {int(np.argmax(bad)) + 1:,}): must be finite and complete; --drop-missing leaves these items out"
    )


# Numbers


def _one_dtype(
    arrays: Mapping[str, np.ndarray], reading: Reading, path: Path
) -> tuple[dict[str, np.ndarray], Kind, tuple[str, ...]]:
    """The items as bool (binary), uint8 (bytes) or floats, and what there is to say of it."""
    for split, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(f"{path}: {split} is {array.dtype}: must be numbers")
    dtypes = {array.dtype for array in arrays.values()}
    values = _Values(arrays)
    if reading.kept_as == "floats":
        return _floats(arrays), "floats", ()
    if reading.kept_as is not None:
        highest = 1 if reading.kept_as == "binary" else 255
        if not values.whole or values.low < 0 or values.high > highest:
            raise DataError(
                f"{path}: --as {reading.kept_as}: {values.range} is not allowed: must be"
                f" {'0 and 1' if highest == 1 else 'whole numbers 0 to 255'}"
            )
        return _told_bytes(arrays, reading.kept_as, path)
    if dtypes <= {np.dtype(np.bool_), np.dtype(np.uint8)}:
        return _told_bytes(arrays, None, path)
    if not any(dtype.kind == "f" for dtype in dtypes) and values.low >= 0 and values.high <= 1:
        return _told_bytes(arrays, "binary", path)
    return _floats(arrays), "floats", values.hints()


class _Values:
    """The range of the numbers, and whether all are whole."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.low = float(min(array.min() for array in arrays.values()))
        self.high = float(max(array.max() for array in arrays.values()))
        self.whole = all(a.dtype.kind != "f" or bool((a == np.floor(a)).all()) for a in arrays.values())

    @property
    def range(self) -> str:
        return f"{self.low:g} to {self.high:g}{'' if self.whole else ', not whole numbers'}"

    def hints(self) -> tuple[str, ...]:
        """What the floats might be, for the user to say."""
        if not self.whole or self.low < 0 or self.high > 255:
            return ()
        if self.high <= 1:
            return ("0 and 1 are kept as floats: --as binary makes them binary pixels",)
        if self.high <= DARKEST_WHITE:
            return ()
        return (f"whole numbers {self.range} are kept as floats: --as bytes makes them intensities",)


def _floats(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 where that holds every number, else float64."""
    exact = {np.dtype(t) for t in (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.float16, np.float32)}
    dtype = np.float32 if all(array.dtype in exact for array in arrays.values()) else np.float64
    return {split: array.astype(dtype) for split, array in arrays.items()}


def _told_bytes(
    arrays: Mapping[str, np.ndarray], kind: Kind | None, path: Path
) -> tuple[dict[str, np.ndarray], Kind, tuple[str, ...]]:
    given = {
        split: array if array.dtype == np.bool_ else array.astype(np.bool_ if kind == "binary" else np.uint8)
        for split, array in arrays.items()
    }
    try:
        pixels = in_bytes(given, path)
    except DataError as error:
        raise DataError(f"{error}; --as floats keeps them as numbers") from None
    if all(bool(((array == 0) | (array == 255)).all()) for array in pixels.values()):
        return {split: array == 255 for split, array in pixels.items()}, "binary", ()
    return pixels, "bytes", ()
