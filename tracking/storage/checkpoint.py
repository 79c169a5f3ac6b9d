"""One unit of a trial in storage: a zip, each member with its CRC.

`record.json` (every epoch so far, at the end the final numbers), `state.pt` until the end, at the end
`weights.safetensors`, `likelihoods.npz` and `pictures.npz`, and `seal.json`, which says whose unit it is.
"""

import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Self

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from tracking.errors import AlteredError
from tracking.files.zips import open_zip
from tracking.records.records import EpochRecord
from tracking.records.seals import Origin, member_digests
from tracking.records.shapes import fits

_SEAL = "seal.json"
_RECORD = "record.json"
_MEMBERS = {
    "state": "state.pt",
    "weights": "weights.safetensors",
    "pictures": "pictures.npz",
    "likelihoods": "likelihoods.npz",
}
_LONGEST_HEADER = 10**6  # bytes; of a safetensors file, with the names of its tensors and the configuration


@dataclass(frozen=True)
class Checkpoint:
    """One unit of storage: everything of a trial up to one moment.

    Attributes:
        steps: optimizer steps done.
        history: every epoch so far.
        timing: ``{"shared": bool, "reason": str}``.
        state: the trainer's serialized state; None in the last unit of a complete trial.
        final: the final numbers, in the last unit.
        weights: safetensors bytes, in the last unit.
        pictures: npz bytes of uint8 image grids, in the last unit.
        likelihoods: npz bytes of log p̂ of every image (``tracking.records.image_likelihoods``), in the last
            unit; units of older versions have none.
        time: when it was made, seconds since 1970.
        digest: SHA-256 in its seal, once it was read; None in a unit from before there were seals.
    """

    steps: int
    history: tuple[EpochRecord, ...]
    timing: Mapping[str, Any] = field(default_factory=lambda: {"shared": False, "reason": ""})
    state: bytes | None = None
    final: Mapping[str, float] | None = None
    weights: bytes | None = None
    pictures: bytes | None = None
    likelihoods: bytes | None = None
    time: float = field(default_factory=time.time)
    digest: str | None = field(default=None, compare=False)

    def to_bytes(self, origin: Origin | None = None) -> bytes:
        """The unit as a zip, sealed as the file that ``origin`` names."""
        record = {
            "steps": self.steps,
            "time": self.time,
            "timing": dict(self.timing),
            "history": [[e.epoch, e.time, dict(e.metrics)] for e in self.history],
            "final": None if self.final is None else dict(self.final),
        }
        members = {
            member: content
            for name, member in _MEMBERS.items()
            if (content := getattr(self, name)) is not None
        }
        # Last, beside the zip's directory: the end of an object in a bucket is read without the rest.
        members[_RECORD] = json.dumps(record, allow_nan=False).encode()
        if origin is not None:
            members[_SEAL] = json.dumps(_sealed(origin, member_digests(members))).encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    @classmethod
    def read(cls, file: BinaryIO, *, payload: bool = True, origin: Origin | None = None) -> Self:
        """The unit in an open file.

        Args:
            file: the zip.
            payload: read state, weights, likelihoods and pictures too, not only the numbers.
            origin: which file of which sweep it must be; None asks for no seal.

        Raises:
            zipfile.BadZipFile: the file is torn.
            AlteredError: it is whole, and not as it was written, or another trial's or another sweep's.
            OSError: it cannot be read.
        """
        with open_zip(file) as archive:
            names = set(archive.namelist())
            if unknown := names - {_RECORD, _SEAL, *_MEMBERS.values()}:
                raise zipfile.BadZipFile(f"unknown members: {sorted(unknown)}")
            found = {
                m: archive.read(m)
                for m in (_RECORD, *_MEMBERS.values())
                if m in names and (payload or m == _RECORD)
            }
            digest = None if origin is None else _check(archive, names, found, origin)
            record = json.loads(found[_RECORD])
            if not fits("record", found[_RECORD]):
                raise AlteredError(f"{_RECORD} does not say what a unit says")
            content = {name: found[member] for name, member in _MEMBERS.items() if member in found}
            return cls(
                record["steps"],
                tuple(EpochRecord(*row) for row in record["history"]),
                record["timing"],
                final=record["final"],
                time=record["time"],
                digest=digest,
                **content,
            )


def _sealed(origin: Origin, digests: Mapping[str, str]) -> dict[str, Any]:
    return {**origin.seal({"members": digests}), "members": digests}


def _check(
    archive: zipfile.ZipFile, names: set[str], found: Mapping[str, bytes], origin: Origin
) -> str | None:
    """The digest in the unit's seal, once what was read of the unit is proved to be what was sealed."""
    if _SEAL not in names:
        origin.check(None, {})
        _check_weights(archive, names, origin)
        return None
    seal = json.loads(archive.read(_SEAL))
    sealed = seal.pop("members")
    digest = origin.check(seal, {"members": sealed})
    if names - {_SEAL} != set(sealed):
        raise AlteredError(f"it holds {sorted(names - {_SEAL})} and sealed was {sorted(sealed)}")
    for name, sha256 in member_digests(found).items():
        if sealed[name] != sha256:
            raise AlteredError(f"{name} is not what was sealed when it was written")
    return digest


def _check_weights(archive: zipfile.ZipFile, names: set[str], origin: Origin) -> None:
    """Of a unit without a seal its weights know the configuration that they were trained with."""
    if _MEMBERS["weights"] not in names or origin.key is None:
        return
    with archive.open(_MEMBERS["weights"]) as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size)) if size <= _LONGEST_HEADER else {}
    text = header.get("__metadata__", {}).get("config")
    try:
        key = None if text is None else TrainConfig.parse(json.loads(text)).key
    except ConfigError:
        return  # written by a later version: what it adds cannot be judged
    if key not in (None, origin.key):
        raise AlteredError(f"it is trial {key[:12]}'s")
