"""Seals: each file of a sweep says which file of which sweep it is, and the SHA-256 of what it says.

A CRC tells a torn file from a whole one. A seal tells a file as it was written from one that was edited, or
that belongs to another trial or to another sweep. Files from before there were seals have none.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracking.errors import AlteredError

SEAL = "seal"


@dataclass(frozen=True)
class Origin:
    """Which file of which sweep.

    Attributes:
        path: within the sweep's folder, for example ``trials/<key>/final.zip``.
        instance: the id that the sweep got when it was created; None for a sweep from before there were ids.
    """

    path: str
    instance: str | None = None

    @property
    def key(self) -> str | None:
        """The key of the trial that the file belongs to."""
        parts = self.path.split("/")
        return parts[1] if len(parts) == 3 and parts[0] == "trials" else None

    def seal(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The seal of a content that is plain JSON."""
        named = {"instance": self.instance, "of": self.path}
        return {**named, "sha256": _digest({**named, "content": content})}

    def check(self, seal: Any, content: Mapping[str, Any]) -> str | None:
        """The digest in the seal of a content, once it is proved; None where an old file has no seal.

        Raises:
            AlteredError: the content was edited, or it is another trial's or another sweep's.
        """
        if seal is None:
            if self.instance is not None:
                raise AlteredError("it has no seal: this sweep did not write it")
            return None
        if not isinstance(seal, Mapping):
            raise AlteredError("its seal is malformed")
        instance, path = seal.get("instance"), str(seal.get("of"))
        if seal.get("sha256") != Origin(path, instance).seal(content)["sha256"]:
            raise AlteredError("its content is not what was sealed when it was written")
        if path != self.path:
            key = Origin(path).key
            raise AlteredError(f"it is {path}" if key in (None, self.key) else f"it is trial {key[:12]}'s")
        if self.instance is not None and instance != self.instance:
            raise AlteredError("it belongs to another sweep, or to a deleted one of the same name")
        return str(seal["sha256"])


def sealed_json(origin: Origin, values: Mapping[str, Any]) -> bytes:
    """A mapping as a JSON file with its seal; NaN and infinity are refused."""
    plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    return (json.dumps({**plain, SEAL: origin.seal(plain)}) + "\n").encode()


def unsealed_json(origin: Origin, content: bytes) -> tuple[dict[str, Any], str | None]:
    """What a JSON file says, and the digest in its seal.

    Raises:
        ValueError: it is torn: not JSON, or no mapping.
        AlteredError: its content is not what its seal says.
    """
    values = json.loads(content, parse_constant=_refuse)
    if not isinstance(values, dict):
        raise ValueError("it is no mapping")
    seal = values.pop(SEAL, None)
    return values, origin.check(seal, values)


def member_digests(members: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each member of a unit; what a unit's seal covers."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(members.items())}


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
