"""A sweep in one file: a zip with everything that its storage holds, and an index with each member's SHA-256.

    bundle.json          format, name and id of the sweep, SHA-256 and size of every other member
    README.md            what it is and how it is opened
    changes.diff         uncommitted changes of the code that ran, where there were some
    sweep/...            the files of the sweep, as storage has them
    data/...             files of its data sets, below the folder of data sets, where that was asked for

The same sweep gives the same bytes: members are sorted, not compressed, and have no time.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from iwae.errors import SweepError
from tracking.errors import RecordError
from tracking.files.files import to_json
from tracking.files.zips import open_zip
from tracking.records.names import is_name
from tracking.storage.manifest import ZIP, Decided
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import is_own

_INDEX, _README, _CHANGES = "bundle.json", "README.md", "changes.diff"
_SWEEP, _DATA = "sweep/", "data/"
_FORMAT = 1
_DECIDED = (*Decided.NAMES, *Decided.OPTIONAL)
# Of a sweep that is worked on, here: which process records it, and that it shall stop.
_PASSING = ("sync.json", "stop.json")
_SAFE = re.compile(r"[^/\\\x00:]+(/[^/\\\x00:]+)*")
_TOLD = """# The sweep {name}

Made by iwae-sweeps. `sweeps open FILE` unpacks it into storage and into a tracking store, on any machine;
then `sweeps verify {name}`, `sweeps report {name}`, `sweeps ui {name}` and `sweeps reproduce --best {name}`
work as where it ran. To look at it without that: `sweep/report/index.html`. Spec, plan and code are in
`sweep/`, weights and every number of a trial in `sweep/trials/KEY/final.zip`.
{data}
"""


class _Member(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: str
    size: int


class _Index(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    format: int
    name: str
    files: dict[str, _Member]


def write_bundle(storage: SweepStorage, out: Path, data: Mapping[str, Path]) -> str:
    """Write a sweep into one file that is not there yet.

    Args:
        storage: the sweep; no driver may work on it.
        out: the file.
        data: files of its data sets, by their paths below the folder of data sets.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        RecordError: there is a file already, or there is no such sweep.
        OSError: it cannot be written.
    """
    decided = storage.decided()
    if out.exists():
        raise RecordError(f"--out: {out} is not allowed: must be a new file")
    temporary = out.with_name(f".{out.name}.tmp")
    index: dict[str, dict[str, Any]] = {}
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in _members(storage, decided, data):
                index[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
                archive.writestr(zipfile.ZipInfo(name), content)
            head = {"format": _FORMAT, "name": storage.name, "id": decided.instance, "files": index}
            archive.writestr(zipfile.ZipInfo(_INDEX), to_json(head))
        out.hardlink_to(temporary)
    except FileExistsError:
        raise RecordError(f"--out: {out} is not allowed: must be a new file") from None
    finally:
        temporary.unlink(missing_ok=True)
    with out.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _members(
    storage: SweepStorage, decided: Decided, data: Mapping[str, Path]
) -> Iterator[tuple[str, bytes]]:
    told = f"\n`data/` holds its data: {len(data)} files." if data else ""
    yield _README, _TOLD.format(name=storage.name, data=told).encode()
    if changes := decided.code().get("diff"):
        yield _CHANGES, str(changes).encode()
    for name in storage.files.entries(storage.path()):
        if name in (ZIP, *_DECIDED) or (is_own(name) and name not in _PASSING):
            yield _SWEEP + name, storage.files.read(storage.path(name))
    for name, path in sorted(data.items()):
        yield _DATA + name, path.read_bytes()


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every member is what its index says.

    Attributes:
        path: the file.
        name: of the sweep.
        members: names in the file.
    """

    path: Path
    name: str
    members: tuple[str, ...]

    @classmethod
    def checked(cls, path: Path) -> Self:
        """The bundle in a file, once all of it was read and compared with its index.

        Raises:
            RecordError: there is no such file, it is no bundle or is torn, a member was altered, or it names
                files outside a sweep.
        """
        with _reading(path) as archive:
            index = _index(path, archive)
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise _altered(path, "a member is compressed")
            found = [info.filename for info in infos if info.filename != _INDEX]
            if sorted(found) != sorted(index.files) or len(infos) != len(found) + 1:
                raise _altered(path, "it does not hold what its index names")
            for info in infos:
                if info.filename != _INDEX:
                    _check(path, archive, info, index.files[info.filename])
        missing = [name for name in (ZIP, *Decided.NAMES) if _SWEEP + name not in found]
        if missing:
            raise _altered(path, f"it lacks {missing[0]}")
        return cls(path, index.name, tuple(found))

    def unpack(self, storage: SweepStorage) -> None:
        """Write the sweep's files into storage; what makes them a sweep comes last.

        Raises:
            RecordError: the storage has one, or something that a sweep left.
        """
        if storage.exists:
            raise RecordError(f"the name {self.name} is taken in {storage.files.uri}: see --storage")
        storage.refuse_leftovers()
        last = [name for name in (*_DECIDED, ZIP) if _SWEEP + name in self.members]
        ours = [name.removeprefix(_SWEEP) for name in self.members if name.startswith(_SWEEP)]
        written: list[str] = []
        try:
            with _reading(self.path) as archive:
                for name in [*(name for name in ours if name not in last), *last]:
                    if not storage.files.create(storage.path(name), archive.read(_SWEEP + name)):
                        raise RecordError(f"the name {self.name} is taken in {storage.files.uri}")
                    written.append(storage.path(name))
        except BaseException:
            storage.files.delete_all(written)
            storage.files.tidy(storage.path())
            raise

    def new_data(self, root: Path) -> list[str]:
        """Which of its data files are not in a folder yet, by their paths below it.

        Raises:
            RecordError: the folder has another file in the place of one.
        """
        new = []
        for name in self._data():
            path = root / name
            if not path.exists():
                new.append(name)
            elif not path.is_file() or path.read_bytes() != self._read(_DATA + name):
                raise RecordError(
                    f"{path} is another file than {self.path} has of that name: IWAE_DATA_DIR names another"
                    " folder"
                )
        return new

    def unpack_data(self, root: Path, names: Iterable[str]) -> None:
        """Write data files into a folder."""
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_bytes(self._read(_DATA + name))
            temporary.replace(path)

    def _data(self) -> list[str]:
        return [name.removeprefix(_DATA) for name in self.members if name.startswith(_DATA)]

    def _read(self, name: str) -> bytes:
        with _reading(self.path) as archive:
            return archive.read(name)


@contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    refused = None
    try:
        with path.open("rb") as file, open_zip(file) as archive:
            try:
                yield archive
            except SweepError as error:  # which is no fault of the zip's
                refused = error
    except zipfile.BadZipFile as error:
        raise RecordError(f"{path} is torn, or no bundle of a sweep: {error}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    if refused is not None:
        raise refused


def _index(path: Path, archive: zipfile.ZipFile) -> _Index:
    if _INDEX not in archive.namelist():
        raise RecordError(f"{path} is torn, or no bundle of a sweep: it has no {_INDEX}")
    try:
        values = json.loads(archive.read(_INDEX))
        if isinstance(values, dict) and (made_by := values.get("format", _FORMAT)) != _FORMAT:
            raise RecordError(f"{path} was made by another version (format {made_by}): install that")
        index = _Index.model_validate(values)
    except RecordError:
        raise
    except ValueError:  # pydantic's too
        raise _altered(path, "its index cannot be read") from None
    if not is_name(index.name):
        raise _altered(path, "its name is no sweep's")
    if outside := [name for name in index.files if not _belongs(name)]:
        raise _altered(path, f"{outside[0]!r} is no file of a sweep")
    return index


def _belongs(name: str) -> bool:
    """Whether a member may be there; so nothing is written outside a sweep's folder and that of the data."""
    if name.startswith(_SWEEP):
        inner = name.removeprefix(_SWEEP)
        return inner in (ZIP, *_DECIDED) or (is_own(inner) and inner not in _PASSING)
    parts = name.removeprefix(_DATA)
    safe = _SAFE.fullmatch(parts) is not None and not {".", ".."} & set(parts.split("/"))
    return safe if name.startswith(_DATA) else name in (_README, _CHANGES)


def _check(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: _Member) -> None:
    if info.file_size != member.size:
        raise _altered(path, f"{info.filename} has another size")
    with archive.open(info) as file:
        digest = hashlib.sha256()
        while part := file.read(2**20):
            digest.update(part)
    if digest.hexdigest() != member.sha256:
        raise _altered(path, f"{info.filename} is not what was bundled")


def _altered(path: Path, what: str) -> RecordError:
    return RecordError(f"{path} was altered: {what}: nothing was unpacked")
