"""Which reader a source needs: by what it is called, checked against how it begins."""

from collections.abc import Callable
from pathlib import Path

from iwae.errors import DataError
from sweeps.importing.arrays import read_npy, read_npz
from sweeps.importing.images import SUFFIXES, read_images
from sweeps.importing.source import Reading, Source
from sweeps.importing.tables import read_csv, read_parquet

_READERS: dict[str, Callable[[Path, Reading], Source]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".pq": read_parquet,
}
# How files begin that are not what their name says.
_BEGINNINGS = {
    b"\x93NUMPY": ".npy",
    b"PK\x03\x04": ".npz",
    b"PAR1": ".parquet",
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"\x1f\x8b": ".gz",
    b"\x89HDF": ".h5",
}
_MUST = "must be .npy, .npz, .csv, .tsv (also .gz), .parquet or a folder of images"


def read(source: Path, reading: Reading) -> Source:
    """What a source holds.

    Raises:
        DataError: it is not there, is of no known kind, or cannot be read.
        ConfigError: an option means nothing for it, or names what it does not have.
    """
    if source.is_dir():
        return read_images(source, reading)
    if not source.is_file():
        raise DataError(f"{source} is not there: {_MUST}")
    suffix = source.suffix.lower()
    zipped = suffix == ".gz"
    kind = Path(source.stem).suffix.lower() if zipped else suffix
    reader = _READERS.get(kind)
    if reader is None or (zipped and reader is not read_csv):
        hint = ": give the folder that it is in" if suffix in SUFFIXES else ""
        raise DataError(f"{source} is of no kind that is known{hint}: {_MUST}")
    with source.open("rb") as file:
        beginning = file.read(8)
    is_in_truth = next((name for start, name in _BEGINNINGS.items() if beginning.startswith(start)), None)
    expected = ".gz" if zipped else ".parquet" if kind == ".pq" else kind
    if is_in_truth not in (None, expected):
        raise DataError(f"{source} is no {expected} file: it begins as {is_in_truth} does: name it as it is")
    return reader(source, reading)
