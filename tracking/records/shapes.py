"""The shapes of the JSON in storage: what a file must hold, and of which type, to be believed."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Session(_Shape):
    started: float
    heartbeat: float
    ended: float | None
    outcome: Literal["finished", "budget", "interrupted", "failed"] | None
    hostname: str
    pid: int
    process_started: float = 0.0


class _Held(_Shape):
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0


class _Attempt(_Shape):
    started: float
    cpus: float = 0.0
    gpus: float = 0.0
    earlier: _Held = _Held()
    provenance: dict[str, Any] = {}


class _Progress(_Shape):
    time: float
    phase: str = ""
    epoch: int = 0
    num_epochs: int = 0
    fraction: float = 0.0


class _Outcome(_Shape):
    state: Literal["PRUNED", "STOPPED", "FAILED"]
    error: str | None
    time: float


class _Published(_Shape):
    files: dict[str, str]
    summary: str
    model: dict[str, Any] = {}


class _Timing(_Shape):
    shared: bool
    reason: str


class _Record(_Shape):
    steps: int
    time: float
    timing: _Timing
    history: list[tuple[int, float, dict[str, float]]]
    final: dict[str, float] | None

    @field_validator("final")
    @classmethod
    def _is_ranked(cls, final: dict[str, float] | None) -> dict[str, float] | None:
        if final is not None and "val/nll_final" not in final:
            raise ValueError("val/nll_final is missing")
        return final


_SHAPES: dict[str, type[_Shape]] = {
    "session": _Session,
    "attempt": _Attempt,
    "progress": _Progress,
    "outcome": _Outcome,
    "record": _Record,
    "published": _Published,
}


def fits(kind: str, content: bytes) -> bool:
    """Whether JSON has the shape of its kind; one without a known shape only has to be JSON.

    Args:
        kind: ``session``, ``attempt``, ``progress``, ``outcome``, ``published`` or, in a unit, ``record``.
        content: of the file.
    """
    shape = _SHAPES.get(kind, _Shape)
    try:
        shape.model_validate_json(content)
    except ValidationError:
        return False
    return True
