"""NumPy's files: an array (.npy), or several under anybody's names (.npz). Nothing is unpickled."""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from iwae.errors import ConfigError, DataError
from sweeps.importing.source import (
    SPLIT_WORDS,
    SPLITS,
    WHOLE,
    Part,
    Reading,
    Source,
    known,
    listed,
    refuse_unused,
    unreadable,
)

_ITEMS = frozenset(
    ["x", "data", "images", "image", "imgs", "img", "features", "inputs", "samples", "items", "arr", "array"]
)
_LABELS = frozenset(["y", "label", "labels", "target", "targets", "class", "classes"])
_GROUPS = frozenset(("group", "groups"))
_ATTRIBUTES = frozenset(("attribute", "attributes"))
_NAMES = ("label_names", "feature_names")
_ERRORS = (OSError, ValueError, EOFError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error)


def read_npy(path: Path, reading: Reading) -> Source:
    """One array ``[N, ...]``.

    Raises:
        DataError: the file is torn, is something else, or holds pickled objects.
    """
    refuse_unused(reading, "an .npy file", ("channels", "shape"))
    try:
        array = np.load(path, allow_pickle=False)
    except _ERRORS as error:
        raise _refusal(path, error) from None
    return Source("an array (.npy)", {WHOLE: Part(np.asarray(array))})


def read_npz(path: Path, reading: Reading) -> Source:
    """Arrays whose names say what they are, in the ways that people write them: ``x_train``, ``test_images``.

    Raises:
        DataError: the file is torn, an array that is needed holds pickled objects, the names say nothing or
            two things, or labels are of another number than items.
        ConfigError: an array that was named is not there.
    """
    refuse_unused(reading, "an .npz file", ("label", "group", "arrays", "drop", "channels", "shape"))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            roles, unused = _roles(archive.files, reading, path)
            arrays = {role: _array(archive, name, path) for role, name in roles.items()}
            shapes = {name: _shape(archive, name) for name in unused if name not in reading.drop}
    except _ERRORS as error:
        if isinstance(error, DataError | ConfigError):
            raise
        raise _refusal(path, error) from None
    parts = _parts(arrays, roles, path)
    _refuse_other_items(shapes, parts, path)
    used = {name: roles.pop(name) for name in _NAMES if name in roles}
    of_parts = {role for split in parts for role in _roles_of(split)}
    unused += [name for role, name in roles.items() if role not in of_parts]
    read = [f"{name} as {role}" for role, name in roles.items() if role in of_parts and role != name]
    notes = [
        *([f"read {listed(read)}"] if read else []),
        *([f"left out: {listed(unused)}"] if unused else []),
    ]
    label_names, feature_names = (_texts(arrays[name]) if name in used else None for name in _NAMES)
    return Source("arrays (.npz)", parts, feature_names, label_names, tuple(notes))


def _refusal(path: Path, error: BaseException) -> DataError:
    if "allow_pickle" in str(error) or "pickle" in str(error).lower():
        return DataError(
            f"{path} holds pickled Python objects, which can run code and are never loaded: must be arrays of"
            " numbers (array.astype(np.float32) before np.save)"
        )
    return unreadable(path, error, f"what numpy.save{'z' if path.suffix == '.npz' else ''} writes")


def _array(archive: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    try:
        return archive[name]
    except _ERRORS as error:
        raise _refusal(Path(f"{path}: {name}"), error) from None


def _shape(archive: Mapping[str, np.ndarray], name: str) -> tuple[int, ...]:
    """Of an array that is not used: one that cannot be read has none."""
    try:
        return archive[name].shape
    except _ERRORS:
        return ()


def _roles(names: Iterable[str], reading: Reading, path: Path) -> tuple[dict[str, str], list[str]]:
    """The array of each role, and the names that have none."""
    left = list(names)
    given = {
        **reading.arrays,
        **({"labels": reading.label} if reading.label else {}),
        **({"groups": reading.group} if reading.group else {}),
    }
    for role, name in given.items():
        known(f"--array {role}", name, left, "array")
    for name in reading.drop:
        known("--drop", name, left, "array")
    roles = dict(given)
    for name in left:
        found = role_of(name)
        if found is None or name in (*given.values(), *reading.drop) or found in given:
            continue
        if found in roles:
            raise DataError(
                f"{path}: {roles[found]} and {name} may both be {found}: --array {found}={name} chooses it,"
                f" or --drop leaves one out"
            )
        roles[found] = name
    unused = [name for name in left if name not in roles.values()]
    if not any(role in roles for role in (WHOLE, *SPLITS)):
        # A single array needs no name that says something.
        candidates = [name for name in unused if name not in reading.drop]
        if len(candidates) != 1:
            raise DataError(
                f"{path}: none of {listed(left) or 'no arrays'} says that it holds the items: name one with"
                f" --array {WHOLE}=NAME, or those of the splits with --array train=NAME --array test=NAME"
            )
        roles[WHOLE] = candidates[0]
        unused.remove(candidates[0])
    return roles, unused


def role_of(name: str) -> str | None:
    """What an array of this name holds, in the ways that people write it; None where it says nothing."""
    if name in _NAMES:
        return name
    # trainX, train-images, X_train, xtrain, arr_0
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    if len(words) == 1 and (glued := re.fullmatch(r"([xy])(\w+)", words[0])) and glued[2] in SPLIT_WORDS:
        words = [glued[1], glued[2]]
    splits = [SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS]
    rest = {word for word in words if word not in SPLIT_WORDS}
    if len(splits) > 1 or not (splits or rest):
        return None
    if rest <= _ITEMS:
        return splits[0] if splits else WHOLE
    for known_words, what in ((_LABELS, "labels"), (_GROUPS, "groups"), (_ATTRIBUTES, "attributes")):
        if rest <= known_words:
            return f"{splits[0]}_{what}" if splits else what
    return None


def _parts(arrays: Mapping[str, np.ndarray], roles: Mapping[str, str], path: Path) -> dict[str, Part]:
    splits = [split for split in SPLITS if split in arrays]
    if splits and WHOLE in arrays:
        raise DataError(
            f"{path}: {roles[WHOLE]} is in no split and {roles[splits[0]]} is {splits[0]}: name the split"
            f" with --array SPLIT={roles[WHOLE]}, or leave it out with --drop {roles[WHOLE]}"
        )
    return {split: Part(arrays[split], *_beside(split, arrays, roles, path)) for split in (splits or [WHOLE])}


def _roles_of(split: str) -> tuple[str, str, str, str]:
    """The roles of a split's items, labels, groups and attributes."""
    before = "" if split == WHOLE else f"{split}_"
    return split, f"{before}labels", f"{before}groups", f"{before}attributes"


def _beside(
    split: str, arrays: Mapping[str, np.ndarray], roles: Mapping[str, str], path: Path
) -> Iterator[np.ndarray | None]:
    """The labels, the groups and the attributes of a split."""
    length = len(np.atleast_1d(arrays[split]))
    for role in _roles_of(split)[1:]:
        array = arrays.get(role)
        if array is None:
            yield None
            continue
        vectors = role.endswith("attributes")
        if vectors and (array.ndim != 2 or array.dtype.kind not in "biuf"):
            raise DataError(
                f"{path}: {roles[role]} is {array.dtype} of the shape {array.shape}: must be numbers [N, Y]"
            )
        if array.ndim == 2 and array.shape[1] == 1 and not vectors:
            array = array[:, 0]
        if array.ndim != 1 and not vectors:
            raise DataError(
                f"{path}: {roles[role]} has the shape {array.shape}: must be [N], one class an item"
                f" (--drop {roles[role]} leaves it out)"
            )
        if len(array) != length:
            raise DataError(
                f"{path}: {roles[role]} has {len(array)} entries and {roles[split]} {length} items: must be"
                " as many"
            )
        yield array.astype(np.float64) if vectors else array


def _refuse_other_items(shapes: Mapping[str, tuple[int, ...]], parts: Mapping[str, Part], path: Path) -> None:
    """Items under a name that says nothing are no data to overlook."""
    shape = next(iter(parts.values())).items.shape[1:]
    for name, other in shapes.items():
        if len(other) > 1 and other[1:] == shape:
            raise DataError(
                f"{path}: {name} has items and its name says no split: --array SPLIT={name} names it, --drop"
                f" {name} leaves it out"
            )


def _texts(array: np.ndarray | None) -> tuple[str, ...] | None:
    return None if array is None else tuple(str(text) for text in array.ravel())
