"""`sweeps import`: anybody's file in, one .npz of this project out."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from iwae.errors import ConfigError
from sweeps.importing import labels as classes
from sweeps.importing.numbers import ready
from sweeps.importing.read import read
from sweeps.importing.source import Kind, Reading, Source
from sweeps.importing.split import Size, split
from sweeps.importing.summary import Imported, constant_features, of_splits


def import_data(
    source: Path | str,
    out: Path | str,
    reading: Reading | None = None,
    *,
    sizes: Mapping[str, Size] | None = None,
    seed: int = 0,
    force: bool = False,
) -> Imported:
    """Read a source, check and split it, and write it as an .npz file that ``data.name: npz`` reads.

    The same source, options and seed give the same bytes. Arrays: ``train``, ``validation``, ``test``; where
    there are labels ``train_labels``, ... (int64) and, where they have names, ``label_names``; where there
    are attributes ``train_attributes``, ... (float64 ``[N, Y]``); where features have names,
    ``feature_names``.

    Args:
        source: an .npy, .npz, CSV, TSV or Parquet file, or a folder of images.
        out: the file to write; it ends in .npz.
        reading: what the source does not say itself.
        sizes: of the validation and test items where the source has none; a tenth and a fifth.
        seed: of the draw.
        force: replace a file that is there.

    Returns:
        What was understood and written.

    Raises:
        DataError: the source cannot be read, or cannot be trained on as it is.
        ConfigError: an option is not allowed, or the file is there or cannot be written.
    """
    source, out = Path(source).expanduser(), Path(out).expanduser()
    reading = reading or Reading()
    _refuse_place(out, force=force)
    made = ready(read(source, reading), reading, source)
    found = split(made.source, sizes or {}, seed, source)
    if reading.drop_constant:
        found = _without_constant(found, made.kind)
    labels, label_names = classes.numbered(found, source)
    arrays = {name: part.items for name, part in found.parts.items()}
    features = found.feature_names
    if features is not None and len(features) != np.prod(arrays["train"].shape[1:]):
        features, found = None, replace(found, notes=(*found.notes, "feature_names are not one a feature"))
    written = {
        **arrays,
        **{f"{name}_labels": numbers for name, numbers in labels.items()},
        **_attributes(found),
        **({"label_names": np.array(label_names)} if label_names else {}),
        **({"feature_names": np.array(features)} if features else {}),
    }
    sha256, size = _write(out, written, force=force)
    highest = max((int(numbers.max()) for numbers in labels.values()), default=-1)
    return Imported(
        out=out,
        sha256=sha256,
        size=size,
        kind=found.kind,
        numbers=made.kind,
        shape=arrays["train"].shape[1:],
        dtype=str(arrays["train"].dtype),
        splits=of_splits(arrays, labels, max(highest + 1, len(label_names or ()))),
        label_names=label_names,
        feature_names=features,
        constant=constant_features(arrays["train"]),
        dropped=made.dropped,
        seed=seed,
        notes=(*found.notes, *classes.without_some(found)),
    )


def _attributes(found: Source) -> dict[str, np.ndarray]:
    """By the name of their array; nothing where a split has none."""
    told = {f"{split}_attributes": part.attributes for split, part in found.parts.items()}
    known = {name: attributes for name, attributes in told.items() if attributes is not None}
    return known if len(known) == len(told) else {}


def _without_constant(found: Source, kind: Kind) -> Source:
    """The source without the features that are the same in every training item; what is left is flat."""
    if kind != "floats":
        raise ConfigError(
            "--drop-constant", f"is not allowed: {kind} are pixels, and constant ones do no harm"
        )
    flat = {split: part.items.reshape(len(part), -1) for split, part in found.parts.items()}
    constant = constant_features(flat["train"])
    if not constant:
        return found
    kept = np.setdiff1d(np.arange(flat["train"].shape[1]), constant)
    if not len(kept):
        raise ConfigError(
            "--drop-constant", "leaves nothing: every feature is the same in all training items"
        )
    names = found.feature_names and tuple(found.feature_names[feature] for feature in kept)
    return replace(
        found,
        parts={split: replace(part, items=flat[split][:, kept]) for split, part in found.parts.items()},
        feature_names=names,
        notes=(
            *found.notes,
            f"left out: {len(constant):,} features that are the same in every training item",
        ),
    )


def _refuse_place(out: Path, *, force: bool) -> None:
    if out.suffix != ".npz":
        raise ConfigError("--out", f"{out} is not allowed: must end in .npz")
    if not out.parent.is_dir():
        raise ConfigError("--out", f"{out.parent} is no folder: make it first")
    if out.is_dir() or (out.exists() and not force):
        raise ConfigError("--out", f"{out} is there already: --force replaces it")


def _write(out: Path, arrays: Mapping[str, np.ndarray], *, force: bool) -> tuple[str, int]:
    """The file's SHA-256 and bytes. It is there whole or not at all, and no other is lost by it."""
    temporary = out.with_name(f".{out.name}-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            # NumPy gives every member of the file the same time: equal arrays make equal bytes.
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        with temporary.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), temporary.stat().st_size
        _refuse_place(out, force=force)  # another may have written it meanwhile
        temporary.replace(out)
    except OSError as error:
        raise ConfigError("--out", f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return sha256, size
