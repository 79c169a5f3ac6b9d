"""The files of a sweep: what is decided, and JSON that proves to be whole and its own."""

import json
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tracking.errors import AlteredError, RecordError, StorageError
from tracking.files.files import Files
from tracking.files.zips import open_zip
from tracking.records.names import check_name, is_name
from tracking.records.planned import DataSet
from tracking.records.records import PlannedTrial
from tracking.records.seals import SEAL, Origin, sealed_json, unsealed_json
from tracking.records.shapes import fits
from tracking.storage.manifest import INSTANCE, ZIP, Decided

DELETING = "deleting.json"  # stays until everything else of a deleted sweep is gone
_OWN = re.compile(
    r"(sync|stop|probe)\.json|(sessions|codes|forecasts)/\d+\.json|report/[^/]+"
    r"|trials/[0-9a-f]+/(attempt-\d+\.json|progress\.json|outcome\.json|checkpoint-\d+\.zip|final\.zip)"
)
_UNKNOWN = ""  # no sweep has this id
T = TypeVar("T")
S = TypeVar("S")


def is_own(name: str) -> bool:
    """Whether a sweep writes a file of this name, within its folder, beside what is decided."""
    return _OWN.fullmatch(name) is not None


def sweeps_in(files: Files) -> list[str]:
    """Names of the sweeps in a storage, oldest first; last the folders that may not be looked into."""
    found = {name: _created(files, name) for name in files.names("") if is_name(name)}
    there = {name: created for name, created in found.items() if created is not None}
    return sorted(there, key=there.__getitem__)


def _created(files: Files, name: str) -> float | None:
    try:
        return SweepFiles(files, name).created
    except StorageError:
        return math.inf  # another sweep's trouble: its reader is told


class SweepFiles:
    """What is decided of one sweep, and its JSON files.

    Args:
        files: the storage.
        name: the sweep's name.

    Raises:
        ConfigError: ``name`` is not allowed: the paths of all files begin with it.
    """

    def __init__(self, files: Files, name: str) -> None:
        self.files = files
        self.name = check_name(name)
        self._instance: str | None = _UNKNOWN

    @property
    def uri(self) -> str:
        """Where the sweep is, for people."""
        return f"{self.files.uri}/{self.name}"

    def path(self, *parts: str) -> str:
        """A path within the sweep, as its files know it."""
        return "/".join((self.name, *parts))

    # The sweep: what is decided

    @property
    def created(self) -> float | None:
        """When the sweep was created, seconds since 1970; None when there is no such sweep."""
        stamps = (self.files.stamp(self.path(name)) for name in ("code.json", ZIP, "spec.yaml", DELETING))
        return next((stamp.changed for stamp in stamps if stamp is not None), None)

    @property
    def exists(self) -> bool:
        """Whether there is a sweep of this name."""
        return any(self.files.stamp(self.path(name)) is not None for name in (ZIP, "spec.yaml"))

    @property
    def is_half_deleted(self) -> bool:
        """Whether a deletion of the sweep began and did not end."""
        return self.files.stamp(self.path(DELETING)) is not None

    def forget_deletion(self) -> None:
        """Take the mark of a deletion back that may not go on."""
        self.files.delete(self.path(DELETING))

    def refuse_leftovers(self) -> None:
        """Check that a new sweep can begin here: old results must not be taken for its own.

        Raises:
            RecordError: its folder is not empty.
        """
        if self.is_half_deleted:
            raise self._half_deleted()
        if left := list(self.files.entries(self.path())):
            raise RecordError(
                f"name: {self.name} is not allowed: must be new, and {self.uri} holds {', '.join(left[:3])}"
                f"{' ...' if len(left) > 3 else ''}: `sweeps delete {self.name}` removes what a sweep left,"
                " the rest must be moved; or choose another --name"
            )

    def _half_deleted(self) -> RecordError:
        return RecordError(f"{self.uri} is half deleted: `sweeps delete {self.name}` finishes it")

    def create(self, decided: Decided) -> None:
        """Write what is decided before the first trial starts; of several callers at once one succeeds.

        Raises:
            RecordError: the name is taken.
        """
        if self.exists:
            raise RecordError(f"the name {self.name} is taken in {self.files.uri}")
        self.refuse_leftovers()
        if not self.files.create(self.path(ZIP), decided.to_bytes()):
            raise RecordError(f"the name {self.name} is taken in {self.files.uri}")
        self._instance = decided.instance
        self._write_plain(decided)

    def write_spec(self, spec: Mapping[str, Any]) -> None:
        """Replace the spec (`extend` adds seeds; `resume` may change budget, resources and tracking)."""
        self._decide(self.decided().with_spec(spec))

    def write_plan(self, plan: Iterable[PlannedTrial]) -> None:
        """Replace the whole plan."""
        self._decide(self.decided().with_plan(plan))

    def write_data(self, data: Iterable[DataSet]) -> None:
        """Replace what the data sets hold (`extend` may add some)."""
        self._decide(self.decided().with_data(data))

    def decided(self) -> Decided:
        """Spec, plan, code and data: from the unit with its CRCs, else from the plain files.

        Raises:
            RecordError: no such sweep, a half deleted one, or neither can be read.
        """
        if self.is_half_deleted:
            raise self._half_deleted()
        try:
            return Decided.read(self.files.read(self.path(ZIP)))
        except (FileNotFoundError, zipfile.BadZipFile):
            pass
        try:
            plain = {name: self.files.read(self.path(name)) for name in Decided.NAMES}
            there = (name for name in Decided.OPTIONAL if self.files.stamp(self.path(name)) is not None)
            plain |= {name: self.files.read(self.path(name)) for name in there}
        except FileNotFoundError as error:
            if self.exists:
                raise RecordError(
                    f"{self.uri}: {ZIP} is torn and there is no {Path(str(error)).name}"
                ) from None
            known = ", ".join(sweeps_in(self.files)) or "none"
            raise RecordError(f"no sweep {self.name} in {self.files.uri} (there: {known})") from None
        return Decided(plain)

    def spec(self) -> dict[str, Any]:
        """The spec as plain data; raises RecordError when there is no such sweep."""
        return self.decided().spec()

    def plan(self) -> list[PlannedTrial]:
        """Every trial that was decided so far, in order."""
        return self.decided().plan()

    @property
    def instance(self) -> str | None:
        """The id that the sweep got when it was created; None for a sweep from before there were ids."""
        if self._instance is _UNKNOWN and self.exists:
            self._instance = self._read_instance()
        return None if self._instance is _UNKNOWN else self._instance

    def _read_instance(self) -> str | None:
        try:
            with self.files.open(self.path(ZIP)) as file, open_zip(file) as archive:
                found = json.loads(archive.read(INSTANCE)) if INSTANCE in archive.namelist() else {}
                return str(found["id"]) if "id" in found else None
        except (FileNotFoundError, zipfile.BadZipFile):
            return self.decided().instance

    def _decide(self, decided: Decided) -> None:
        self.files.write(self.path(ZIP), decided.to_bytes())
        self._write_plain(decided)

    def _write_plain(self, decided: Decided) -> None:
        for name, content in decided.members.items():
            self.files.write(self.path(name), content)

    # Files: JSON that says whose it is and proves that it is whole

    def read_json(self, name: str) -> dict[str, Any] | None:
        """What a JSON file says; None when there is none or it is not believed (see `unseal`)."""
        try:
            return self.unseal(name)[0]
        except (FileNotFoundError, ValueError, AlteredError):
            return None

    def unseal(self, name: str) -> tuple[dict[str, Any], str | None]:
        """What a JSON file says, and the digest of its seal.

        Args:
            name: within the sweep's folder.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is torn, or says something else than files of its kind.
            AlteredError: it is whole, and not as it was written, or another trial's or another sweep's.
        """
        content = self.files.read(self.path(name))
        misshapen = not fits(_kind(name), content)
        if misshapen and f'"{SEAL}"'.encode() not in content:
            raise ValueError("it does not say what such a file says")
        values, digest = unsealed_json(Origin(name, self.instance), content)
        if misshapen:
            raise ValueError("it does not say what such a file says")
        return values, digest

    def write_json(self, name: str, values: Mapping[str, Any], *, durable: bool = True) -> None:
        """Write or replace a JSON file with its seal."""
        content = sealed_json(Origin(name, self.instance), values)
        self.files.write(self.path(name), content, durable=durable)

    def create_json(self, name: str, values: Mapping[str, Any]) -> bool:
        """Write a JSON file with its seal; False when there is one."""
        return self.files.create(self.path(name), sealed_json(Origin(name, self.instance), values))

    def each(self, read: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """Read many things, several at a time where that pays."""
        if self.files.parallel == 1 or len(items) < 2:
            return [read(item) for item in items]
        with ThreadPoolExecutor(self.files.parallel) as pool:
            return list(pool.map(read, items))


def _kind(name: str) -> str:
    """Of a file by its name: ``session``, ``attempt``, ``progress``, ``outcome`` ..."""
    folder, _, _ = name.partition("/")
    if folder in ("sessions", "forecasts"):
        return folder.removesuffix("s")
    return name.rpartition("/")[2].removesuffix(".json").partition("-")[0]
