"""What is decided before a trial starts: spec, plan, code, data and the sweep's id, as one unit with CRCs.

A plan that lost its last lines would read as a shorter plan, and its trials would be lost without a word. So
the truth is a zip; the plain files beside it are for people, and for a zip that is torn.
"""

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from iwae.config import yaml
from iwae.errors import ConfigError
from tracking.errors import AlteredError, RecordError
from tracking.files.files import to_json
from tracking.files.zips import open_zip
from tracking.records.planned import DataSet
from tracking.records.records import PlannedTrial
from tracking.records.seals import member_digests

ZIP = "sweep.zip"
INSTANCE, DATA = "instance.json", "data.json"
_SPEC, _PLAN, _CODE, _SEAL = "spec.yaml", "plan.jsonl", "code.json", "seal.json"


@dataclass(frozen=True)
class Decided:
    """Spec, plan, code and what else is decided, as the bytes of their files.

    Attributes:
        members: content by file name: one for each of `NAMES`, and of `OPTIONAL` what the sweep has. Since
            sweeps have ids `INSTANCE` holds the id and the digests of what was decided before (`extend`, a
            model-based sampler); `DATA` holds what the data sets were.
    """

    NAMES: ClassVar = (_SPEC, _PLAN, _CODE)
    OPTIONAL: ClassVar = (INSTANCE, DATA)
    members: Mapping[str, bytes]

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        plan: Iterable[PlannedTrial],
        code: Mapping[str, Any],
        data: Iterable[DataSet] = (),
    ) -> Self:
        """The files of these values, with an id of their own."""
        instance = to_json({"id": uuid.uuid4().hex, "earlier": []})
        files = {_SPEC: _yaml(spec), _PLAN: _lines(plan), _CODE: to_json(code), DATA: _sets(data)}
        return cls({**files, INSTANCE: instance})

    @classmethod
    def read(cls, content: bytes) -> Self:
        """The unit in a zip.

        Raises:
            zipfile.BadZipFile: it is torn.
            AlteredError: it is whole, and a member is not what was decided.
        """
        with open_zip(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
            seal = json.loads(members.pop(_SEAL, b"{}"))
            if missing := set(cls.NAMES) - set(members):
                raise zipfile.BadZipFile(f"it lacks {sorted(missing)}")
            for name, sha256 in member_digests(members).items():
                if (seal or INSTANCE in members) and seal.get(name) != sha256:
                    raise AlteredError(f"{name} is not what was decided")
            if gone := set(seal) - set(members):
                raise AlteredError(f"it lacks {sorted(gone)}")
            return cls(members)

    def to_bytes(self) -> bytes:
        """The unit as a zip, with the SHA-256 of each member."""
        buffer = io.BytesIO()
        # What an old unit may lack stands in front: one whose directory is cut short is torn, and not old.
        optional = {name: self.members[name] for name in self.OPTIONAL if name in self.members}
        sealed = {_SEAL: to_json(member_digests(self.members)), **optional, **self.members}
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in sealed.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    @property
    def instance(self) -> str | None:
        """The id that the sweep got when it was created; None for a sweep from before there were ids."""
        found = self._instance().get("id")
        return None if found is None else str(found)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that is decided."""
        members = {name: content for name, content in self.members.items() if name != INSTANCE}
        return hashlib.sha256(to_json({**member_digests(members), "id": self.instance})).hexdigest()

    @property
    def head(self) -> str | None:
        """The digest of a sweep that has an id."""
        return None if self.instance is None else self.digest

    @property
    def earlier(self) -> tuple[str, ...]:
        """Digests of what was decided before, oldest first."""
        return tuple(map(str, self._instance().get("earlier", ())))

    def with_spec(self, spec: Mapping[str, Any]) -> "Decided":
        """The same with another spec."""
        return self._with(_SPEC, _yaml(spec))

    def with_plan(self, plan: Iterable[PlannedTrial]) -> "Decided":
        """The same with another plan."""
        return self._with(_PLAN, _lines(plan))

    def with_data(self, data: Iterable[DataSet]) -> "Decided":
        """The same with other data sets."""
        return self._with(DATA, _sets(data))

    def _with(self, name: str, content: bytes) -> "Decided":
        if self.members.get(name) == content:
            return self
        members = {**self.members, name: content}
        if INSTANCE in members:
            values = {**self._instance(), "earlier": [*self.earlier, self.digest]}
            members[INSTANCE] = to_json(values)
        return Decided(members)

    def _instance(self) -> dict[str, Any]:
        try:
            values = json.loads(self.members.get(INSTANCE, b"{}"))
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    def spec(self) -> dict[str, Any]:
        """The spec as plain data.

        Raises:
            RecordError: it is not a spec's YAML.
        """
        try:
            spec = yaml.load(self.members[_SPEC].decode())
        except (ConfigError, UnicodeDecodeError) as error:
            raise RecordError(f"{_SPEC} cannot be read: {error}") from None
        if not isinstance(spec, dict):
            raise RecordError(f"{_SPEC} cannot be read: it is no mapping")
        return spec

    def lines(self) -> list[str]:
        """The lines of the plan."""
        return self.members[_PLAN].decode(errors="replace").splitlines()

    def plan(self) -> list[PlannedTrial]:
        """The trials of the plan.

        Raises:
            RecordError: a line is no trial.
        """
        try:
            return [PlannedTrial.from_json(line) for line in self.lines()]
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise RecordError(f"{_PLAN} cannot be read: {error}") from None

    def code(self) -> dict[str, Any]:
        """The code that the driver ran; empty when its file is torn."""
        try:
            code = json.loads(self.members[_CODE])
        except ValueError:
            return {}
        return code if isinstance(code, dict) else {}

    def data(self) -> tuple[DataSet, ...]:
        """What the sweep's data sets hold; none where their file is torn, or older than that."""
        try:
            return tuple(DataSet.from_dict(values) for values in json.loads(self.members.get(DATA, b"[]")))
        except (ValueError, TypeError, KeyError):
            return ()


def _yaml(spec: Mapping[str, Any]) -> bytes:
    return yaml.dump(dict(spec)).encode()


def _sets(data: Iterable[DataSet]) -> bytes:
    return json.dumps([one.to_dict() for one in data]).encode()


def _lines(plan: Iterable[PlannedTrial]) -> bytes:
    return "".join(trial.to_json() + "\n" for trial in plan).encode()
