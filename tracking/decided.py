"""What is decided before a trial starts: spec, plan and code, as one unit with CRCs.

A plan that lost its last lines would read as a shorter plan, and its trials would be lost without a word. So
the truth is a zip; the plain files beside it are for people, and for a zip that is torn.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from iwae import yaml
from iwae.errors import ConfigError, RecordError
from tracking.files import to_json
from tracking.records import PlannedTrial
from tracking.zips import open_zip

ZIP = "sweep.zip"
_SPEC, _PLAN, _CODE = "spec.yaml", "plan.jsonl", "code.json"


@dataclass(frozen=True)
class Decided:
    """Spec, plan and code as the bytes of their files.

    Attributes:
        members: content by file name, one for each of `NAMES`.
    """

    NAMES: ClassVar = (_SPEC, _PLAN, _CODE)
    members: Mapping[str, bytes]

    @classmethod
    def of(cls, spec: Mapping[str, Any], plan: Iterable[PlannedTrial], code: Mapping[str, Any]) -> Self:
        """The files of these values."""
        return cls({_SPEC: _yaml(spec), _PLAN: _lines(plan), _CODE: to_json(code)})

    @classmethod
    def read(cls, content: bytes) -> Self:
        """The unit in a zip.

        Raises:
            zipfile.BadZipFile: it is torn or altered.
        """
        with open_zip(io.BytesIO(content)) as archive:
            return cls({name: archive.read(name) for name in cls.NAMES})

    def to_bytes(self) -> bytes:
        """The unit as a zip."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in self.members.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    def with_spec(self, spec: Mapping[str, Any]) -> "Decided":
        """The same with another spec."""
        return Decided({**self.members, _SPEC: _yaml(spec)})

    def with_plan(self, plan: Iterable[PlannedTrial]) -> "Decided":
        """The same with another plan."""
        return Decided({**self.members, _PLAN: _lines(plan)})

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


def _yaml(spec: Mapping[str, Any]) -> bytes:
    return yaml.dump(dict(spec)).encode()


def _lines(plan: Iterable[PlannedTrial]) -> bytes:
    return "".join(trial.to_json() + "\n" for trial in plan).encode()
