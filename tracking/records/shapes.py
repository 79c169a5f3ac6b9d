"""The JSON files of a sweep's storage as typed values: what a file must hold to be believed.

A value that was read writes the same JSON again: a field that an older version did not know stays away, and
one that a later version added stays.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tracking.records.comparable.score import SCORES


class _Shape(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="allow", allow_inf_nan=False, validate_by_name=True
    )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The value in ``to_dict``'s data.

        Raises:
            ValueError: it has another shape.
        """
        return cls.model_validate(dict(values))


class SessionEntry(_Shape):
    """What a driver says of itself in ``sessions/NNNN.json``; moments are seconds since 1970.

    Attributes:
        started: when the driver began.
        heartbeat: when it last wrote this entry.
        ended: None while it runs, or when it was killed.
        outcome: how it ended; None as ``ended``.
        hostname: of its machine.
        pid: its process.
        process_started: when its process was born.
        machine: what processes that see each other's ids have in common; see
            ``tracking.storage.sessions.machine``.
        command: what it ran, for readers of the record.
        user: the account that ran it; None in entries from before that was noted.
        torn: whether the entry was written anew by ``verify --repair`` in the place of one that was torn.
    """

    started: float
    heartbeat: float
    ended: float | None
    outcome: Literal["finished", "budget", "interrupted", "failed"] | None
    hostname: str
    pid: int
    process_started: float = 0.0
    machine: str | None = None
    command: str | None = None
    user: str | None = None
    torn: bool = False


class Held(_Shape):
    """What the attempts before one held: CPUs and GPUs times wall clock, in seconds."""

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0


class Attempt(_Shape):
    """One start of a trial, in ``attempt-NNNN.json``.

    Attributes:
        started: seconds since 1970.
        hostname: of the worker's machine.
        pid: the worker's process.
        session: number of the driver that started it.
        from_epoch: completed epochs that it went on from.
        cpus: CPUs that it held.
        gpus: GPUs that it held, or a share of one.
        earlier: what the attempts before it held.
        provenance: ``tracking.provenance.machine.environment``.
        torn: whether the file was written anew in the place of one that was torn: only ``started`` is known.
    """

    started: float
    hostname: str = ""
    pid: int = 0
    session: int = 0
    from_epoch: int = 0
    # An integer stays one: MLflow keeps the JSON, and its hash.
    cpus: int | float = 0.0
    gpus: int | float = 0.0
    earlier: Held = Held()
    provenance: dict[str, Any] = {}
    torn: bool = False

    @property
    def slots(self) -> int:
        """Of the pack that it trains in; 1 is alone."""
        return int(self.provenance.get("pack_slots") or 1)


class TrialProgress(_Shape):
    """How far a running trial says it is, in ``progress.json``.

    Attributes:
        time: when it said so, seconds since 1970.
        phase: ``training``, ``evaluating`` or ``final evaluation``.
        epoch: completed epochs.
        num_epochs: epochs of the whole training.
        fraction: share of the whole training's optimizer steps done.
        phase_fraction: share of the current epoch's steps, or of the current evaluation.
        val_nll: newest validation NLL, nats; None before the first, and of a model without a likelihood.
        val_reconstruction_mse: newest validation reconstruction error of such a model.
        train_seconds: training so far; None before the first epoch.
    """

    time: float
    phase: str = ""
    epoch: int = 0
    num_epochs: int = 0
    fraction: float = 0.0
    phase_fraction: float = 0.0
    val_nll: float | None = Field(None, validation_alias="val/nll", serialization_alias="val/nll")
    val_reconstruction_mse: float | None = Field(
        None, validation_alias="val/reconstruction_mse", serialization_alias="val/reconstruction_mse"
    )
    train_seconds: float | None = Field(
        None, validation_alias="time/train_seconds", serialization_alias="time/train_seconds"
    )


class Outcome(_Shape):
    """How a trial ended that has no final numbers, in ``outcome.json``.

    Attributes:
        state: of the trial.
        error: the cause; its first line is readable on its own.
        time: when it ended, seconds since 1970.
    """

    state: Literal["PRUNED", "STOPPED", "FAILED"]
    error: str | None
    time: float


class ShapeProbe(_Shape):
    """What an optimizer step of one shape of trial takes when it has a kind of machine to itself.

    Attributes:
        shape: of the trials: ``tracking.records.exclusive.shape_of`` their configuration.
        machine: the kind of machine: ``tracking.records.exclusive.machine_kind``.
        steps_per_epoch: optimizer steps of an epoch.
        step_seconds: of a training step, over several rounds.
        low: lower end of its 95 % interval, seconds.
        high: upper end.
        rounds: how often it was measured, other shapes in between.
        curve_row_seconds: of an image and sample in an evaluation of the curve; None where not measured.
        final_row_seconds: the same in the final evaluation.
        draw_seconds: of a draw of the gradient for its signal-to-noise ratio.
        peak_bytes: the most memory that training and evaluating it takes beside the process's own, images
            included.
    """

    shape: str
    machine: str
    steps_per_epoch: int = Field(ge=1)
    step_seconds: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    rounds: int = Field(ge=1)
    curve_row_seconds: float | None = Field(None, gt=0)
    final_row_seconds: float | None = Field(None, gt=0)
    draw_seconds: float | None = Field(None, gt=0)
    peak_bytes: int | None = Field(None, ge=0)

    @property
    def epoch_seconds(self) -> float:
        """Of an epoch of training."""
        return self.steps_per_epoch * self.step_seconds


class Probes(_Shape):
    """Everything that was probed for a sweep, in ``probe.json``: one entry a shape and kind of machine."""

    probes: tuple[ShapeProbe, ...] = Field((), strict=False)


class TrialForecast(_Shape):
    """What one trial was said to take, in seconds.

    Attributes:
        train_seconds: of training alone.
        seconds: from its start to its end, the evaluations included; None where that was not said.
    """

    train_seconds: float
    seconds: float | None = None


class LaunchForecast(_Shape):
    """What a driver said of its trials before the first one, in ``forecasts/NNNN.json``.

    Attributes:
        made: seconds since 1970.
        basis: what it rests on, in a few words.
        wall_seconds: from the driver's start to its end.
        wall_low: lower end of its interval; None where there is none.
        wall_high: upper end.
        coverage: probability with which the interval holds it.
        trials: of the trials that were to run, by key.
    """

    made: float
    basis: str = ""
    wall_seconds: float
    wall_low: float | None = None
    wall_high: float | None = None
    coverage: float | None = None
    trials: dict[str, TrialForecast] = {}


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
        if final is not None and not any(score.final in final for score in SCORES):
            raise ValueError(f"{SCORES[0].final} is missing")
        return final


_SHAPES: dict[str, type[_Shape]] = {
    "session": SessionEntry,
    "attempt": Attempt,
    "progress": TrialProgress,
    "outcome": Outcome,
    "record": _Record,
    "published": _Published,
    "probe": Probes,
    "forecast": LaunchForecast,
}


def fits(kind: str, content: bytes) -> bool:
    """Whether JSON has the shape of its kind; one without a known shape only has to be JSON.

    Args:
        kind: ``session``, ``attempt``, ``progress``, ``outcome``, ``published``, ``probe``, ``forecast`` or,
            in a unit, ``record``.
        content: of the file.
    """
    shape = _SHAPES.get(kind, _Shape)
    try:
        shape.model_validate_json(content)
    except ValidationError:
        return False
    return True
