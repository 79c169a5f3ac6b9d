"""A sweep in one file, made and opened: for a reviewer, an archive, another machine."""

from dataclasses import dataclass
from pathlib import Path

from iwae.config.data import DataConfig
from iwae.data.location import data_root, files_of
from iwae.errors import ConfigError
from tracking.errors import RecordError
from tracking.storage.bundle import Bundle, write_bundle
from tracking.storage.sessions import refuse_if_live
from tracking.storage.sweep import SweepStorage
from tracking.verification.storage import storage_faults


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written.

    Attributes:
        path: the file.
        sha256: of the file: who publishes it beside the file lets others prove that they have the same.
        size: bytes.
        data: how many data files are in it.
    """

    path: Path
    sha256: str
    size: int
    data: int


def bundle(storage: SweepStorage, out: Path, *, with_data: bool = False) -> Bundled:
    """Write everything that storage holds of a sweep into one new file.

    Args:
        storage: the sweep.
        out: the file.
        with_data: put the files of its data sets in too.

    Raises:
        RecordError: there is no such sweep, a driver works on it, its files are torn or altered, or there is
            such a file already.
        DataError: its data are not here.
        ConfigError: the file cannot be written.
    """
    plan = storage.plan()
    refuse_if_live(storage)
    if (fault := next(iter(storage_faults(storage)), None)) is not None:
        raise RecordError(f"{storage.name} is not whole: {fault.what}: see `sweeps verify {storage.name}`")
    data = _data_files([trial.config.data for trial in plan]) if with_data else {}
    out = out.expanduser().resolve()
    try:
        sha256 = write_bundle(storage, out, data)
    except OSError as error:
        raise ConfigError("--out", f"{out} cannot be written: {error.strerror or error}") from None
    return Bundled(out, sha256, out.stat().st_size, len(data))


def _data_files(sets: list[DataConfig]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for config in sets:
        for name, path in files_of(config).items():
            if found.setdefault(name, path) != path:
                raise RecordError(f"--with-data: {path} is not allowed: {found[name]} has the same name")
    return found


def unpack(found: Bundle, storage: SweepStorage) -> None:
    """Write a bundle's sweep into storage, and its data where data sets are looked for.

    Raises:
        RecordError: the name is taken, or other data are in the place of the bundle's; nothing is written.
    """
    root = data_root()
    data = found.new_data(root)
    found.unpack(storage)
    found.unpack_data(root, data)
