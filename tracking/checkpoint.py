"""One unit of a trial in storage: a zip, each member with its CRC.

`record.json` (every epoch so far, at the end the final numbers), `state.pt` until the end, and at the end
`weights.safetensors` and `pictures.npz`.
"""

import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Self

from tracking.records import EpochRecord
from tracking.zips import open_zip


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
    """

    steps: int
    history: tuple[EpochRecord, ...]
    timing: Mapping[str, Any] = field(default_factory=lambda: {"shared": False, "reason": ""})
    state: bytes | None = None
    final: Mapping[str, float] | None = None
    weights: bytes | None = None
    pictures: bytes | None = None
    time: float = field(default_factory=time.time)

    def to_bytes(self) -> bytes:
        """The unit as a zip."""
        record = {
            "steps": self.steps, "time": self.time, "timing": dict(self.timing),
            "history": [[e.epoch, e.time, dict(e.metrics)] for e in self.history],
            "final": None if self.final is None else dict(self.final),
        }  # fmt: skip
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in ("state", "weights", "pictures"):
                if (content := getattr(self, name)) is not None:
                    archive.writestr(_MEMBERS[name], content)
            # Last, beside the zip's directory: the end of an object in a bucket is read without the rest.
            archive.writestr("record.json", json.dumps(record, allow_nan=False))
        return buffer.getvalue()

    @classmethod
    def read(cls, file: BinaryIO, *, payload: bool = True) -> Self:
        """The unit in an open file.

        Args:
            file: the zip.
            payload: read state, weights and pictures too, not only the numbers.

        Raises:
            zipfile.BadZipFile: the file is torn or altered.
            OSError: it cannot be read.
        """
        with open_zip(file) as archive:
            record = json.loads(archive.read("record.json"))
            members = set(archive.namelist()) - {"record.json"}
            if unknown := members - set(_MEMBERS.values()):
                raise zipfile.BadZipFile(f"unknown members: {sorted(unknown)}")
            content = {name: archive.read(m) for name, m in _MEMBERS.items() if payload and m in members}
            return cls(
                record["steps"], tuple(EpochRecord(*row) for row in record["history"]), record["timing"],
                final=record["final"], time=record["time"], **content,
            )  # fmt: skip


_MEMBERS = {"state": "state.pt", "weights": "weights.safetensors", "pictures": "pictures.npz"}
