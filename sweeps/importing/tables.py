"""Tables: CSV, TSV and Parquet. Every column that is left is a feature, a number in each row."""

import csv
import gzip
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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

if TYPE_CHECKING:
    import pandas as pd

_OPTIONS = ("label", "group", "attribute", "split", "drop", "shape")
_LINES_LOOKED_AT = 5


def read_csv(path: Path, reading: Reading) -> Source:
    """A text table: columns between commas, semicolons, tabs or bars, with or without a line of names.

    Raises:
        DataError: it is empty, torn or no text, its lines have different lengths, or a column holds text.
        ConfigError: a column that was named is not there.
    """
    import pandas as pd  # loads for half a second

    refuse_unused(reading, "a text table", (*_OPTIONS, "header"))
    try:
        with _opened(path) as file:
            lines = [line for line in islice(file, 100) if line.strip()][:_LINES_LOOKED_AT]
        delimiter = _delimiter(path, lines)
        rows = list(csv.reader(lines, delimiter=delimiter))
        header = _has_header(rows) if reading.header is None else reading.header
        if header:
            _refuse_twice(path, rows[0])
        frame = pd.read_csv(
            path,
            sep=delimiter,
            header=0 if header else None,
            index_col=False,
            low_memory=False,
        )
    except (OSError, ValueError, EOFError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise unreadable(path, error, "a text table (UTF-8), every row as long as the first") from None
    named = "with a line of names" if header else "without a line of names"
    return _of_frame(path, f"a table (CSV, {named})", frame, reading, named=header)


def read_parquet(path: Path, reading: Reading) -> Source:
    """A Parquet table; a column of lists of one length is as many features.

    Raises:
        DataError: it is torn or something else, or a column holds text.
        ConfigError: a column that was named is not there.
    """
    import pandas as pd  # loads for half a second

    refuse_unused(reading, "a Parquet table", _OPTIONS)
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(path, error, "a Parquet table") from None
    return _of_frame(path, "a table (Parquet)", frame, reading, named=True)


# Text


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _delimiter(path: Path, lines: Sequence[str]) -> str:
    """What stands between the columns: equally often in each of the first lines."""
    if not lines:
        raise DataError(f"{path} is empty: must be a table of at least a few rows")
    if "\0" in lines[0]:
        raise DataError(f"{path} is no text: must be a text table (UTF-8)")
    for delimiter in "\t;|,":
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        if widths != {1} and len(widths) == 1:
            return delimiter
    return "\t" if path.name.removesuffix(".gz").endswith(".tsv") else ","


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line holds names: no number, text above a number, or 0, 1, 2, ... of pandas."""
    first, second = rows[0], rows[1] if len(rows) > 1 else []
    if len(first) > 1 and list(first) == [str(number) for number in range(len(first))]:
        return True
    over_numbers = any(
        not _is_number(a) and bool(a.strip()) and _is_number(b) for a, b in zip(first, second, strict=False)
    )
    return over_numbers or not any(map(_is_number, first))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise DataError(f"{path}: the column {twice[0]} is there twice: every column needs a name of its own")


# Columns


def _of_frame(path: Path, kind: str, frame: "pd.DataFrame", reading: Reading, *, named: bool) -> Source:
    frame.columns = [str(name) for name in frame.columns]
    if frame.empty:
        raise DataError(f"{path} has no rows: must be a table of at least a few rows")
    named_by = {"--label": reading.label, "--group": reading.group, "--split": reading.split}
    columns = {
        option: None if name is None else known(option, name, frame.columns, "column")
        for option, name in named_by.items()
    }
    dropped = [known("--drop", name, frame.columns, "column") for name in reading.drop]
    attributes = [known("--attribute", name, frame.columns, "column") for name in reading.attribute]
    # What `DataFrame.to_csv` writes before the first column: the number of each row.
    counters = [name for name in frame.columns if name == "Unnamed: 0"]
    out = {*filter(None, columns.values()), *dropped, *attributes, *counters}
    features = frame[[name for name in frame.columns if name not in out]]
    if not features.columns.size:
        raise DataError(f"{path} has no column of features left: must have at least one")
    items, names = _numbers(path, features)
    label, group, split = (None if name is None else _told(frame[name]) for name in columns.values())
    told = _numbers(path, frame[attributes])[0].astype(np.float64) if attributes else None
    whole = Part(items, label, group, told)
    notes = [f"left out: {listed([*dropped, *counters])}"] if dropped or counters else []
    notes += [
        f"{name} counts the rows: --drop {name} leaves it out if it is no feature"
        for name, column in zip(names, items.T, strict=True)
        if _counts(column)
    ]
    parts = {WHOLE: whole} if split is None else _by_split(whole, split, path, str(reading.split))
    return Source(kind, parts, tuple(names) if named else None, None, tuple(notes))


def _numbers(path: Path, features: "pd.DataFrame") -> tuple[np.ndarray, list[str]]:
    """The features ``[N, X]`` and their names; whole numbers and truth values stay what they are.

    Raises:
        DataError: columns hold text; all are named in one line.
    """
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    blocks, names, text = [], [], []
    for name in features.columns:
        column = features[name]
        if column.dtype == object and (vectors := _vectors(path, name, column)) is not None:
            blocks.append(vectors)
            names += [f"{name}_{number}" for number in range(vectors.shape[1])]
            continue
        if not is_numeric_dtype(column.dtype) or np.issubdtype(np.asarray(column).dtype, np.complexfloating):
            text.append(f"{name} ({_example(column)})")
            continue
        missing = bool(column.isna().any())
        if missing:
            blocks.append(column.to_numpy(dtype=np.float64, na_value=np.nan)[:, None])
        else:
            blocks.append(column.to_numpy(dtype=np.bool_ if is_bool_dtype(column.dtype) else None)[:, None])
        names.append(name)
    if text:
        raise DataError(
            f"{path}: {'columns' if len(text) > 1 else 'the column'} {listed(text)}"
            f" {'hold' if len(text) > 1 else 'holds'} no numbers: --label NAME makes one the label,"
            " --drop NAME leaves one out"
        )
    return np.concatenate(blocks, axis=1), names


def _vectors(path: Path, name: str, column: "pd.Series[Any]") -> np.ndarray | None:
    """A column of lists of numbers as ``[N, X]``; None where it holds something else."""
    if not isinstance(column.iloc[0], np.ndarray | list | tuple):
        return None
    lengths = {np.size(entry) if isinstance(entry, np.ndarray | list | tuple) else 0 for entry in column}
    if len(lengths) > 1:
        raise DataError(
            f"{path}: {name} has lists of {min(lengths)} to {max(lengths)}: must be of one length"
        )
    vectors = np.array([np.asarray(entry) for entry in column])
    return vectors if vectors.ndim == 2 and vectors.dtype.kind in "biuf" else None


def _example(column: "pd.Series[Any]") -> str:
    """The first entry that is no number, as the reader of an error would look for it."""
    import pandas as pd

    strange = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    shown = column if strange.empty else strange
    value = str(shown.iloc[0])
    text = repr(value if len(value) <= 20 else f"{value[:20]}...")
    decimal = ", a decimal comma" if value.replace(",", "", 1).lstrip("-").isdigit() and "," in value else ""
    return f"{text}{decimal}"


def _told(column: "pd.Series[Any]") -> np.ndarray:
    """Labels, groups or splits; what is missing is None, whatever pandas has in its place."""
    missing = column.isna().to_numpy()
    if not missing.any():
        return np.asarray(column)
    values = np.array(column, dtype=object)
    values[missing] = None
    return values


def _counts(column: np.ndarray) -> bool:
    """Whether a column is nothing but the number of the row."""
    if column.dtype == np.bool_ or len(column) < 3:
        return False
    return bool(np.array_equal(column - column[0], np.arange(len(column)))) and column[0] in (0, 1)


def _by_split(whole: Part, split: np.ndarray, path: Path, name: str) -> dict[str, Part]:
    words = np.array([SPLIT_WORDS.get(str(word).strip().lower(), "") for word in split])
    if not words.all():
        strange = str(split[words == ""][0])
        raise ConfigError(
            f"--split {name}", f"{strange!r} is not allowed: must be train, validation or test in every row"
        )
    return {part: whole.take(words == part) for part in SPLITS if (words == part).any()}
