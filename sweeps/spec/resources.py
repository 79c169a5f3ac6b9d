"""The sections budget, resources and tracking of a spec."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from iwae.config.part import Part, PartError
from sweeps.pace.seconds import Seconds
from sweeps.spec.search import MAX_TRIALS

MAX_SLOTS = 1024


def _is_packing(value: Any) -> Any:
    """A whole number, or one of the two words; YAML reads `off` as false."""
    if value is False:
        return "off"
    number = isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= MAX_SLOTS
    if not number and value not in ("auto", "off"):
        raise PartError(
            "", json.dumps(value, default=str), f"auto, off or a whole number from 2 to {MAX_SLOTS}"
        )
    return value


Packing = Annotated[
    Literal["auto", "off"] | Annotated[int, Field(ge=2, le=MAX_SLOTS)], BeforeValidator(_is_packing)
]


class Budget(Part):
    """Limits that end a sweep although trials are left; null is no limit.

    Attributes:
        wall_clock: for one `run` or `resume`: seconds, or text such as ``2h``, ``90m``, ``1h30m``.
        gpu_hours: of all trials together, over every `resume`; a trial with 0.25 GPUs counts a quarter.
        cpu_hours: of all trials together, over every `resume`; for sweeps without GPUs.
    """

    wall_clock: Seconds | None = None
    gpu_hours: float | None = Field(default=None, gt=0)
    cpu_hours: float | None = Field(default=None, gt=0)


class Resources(Part):
    """What one trial occupies.

    Attributes:
        cpus: CPUs of a trial; it runs with as many threads, rounded down, at least 1.
        gpus: GPUs of a trial; 0.25 lets four share one.
        max_concurrent: the most trials that run at once; null is as many as fit. A pack counts as one.
        packing: trains trials that differ only in seed, learning rate, schedule or other scalars together, as
            one batched program that occupies what one trial does: ``off``, ``auto`` (where it was measured
            to pay: small steps on a CPU), or the most trials of a pack.
        price_per_hour: what these CPUs and GPUs cost for an hour, in any currency: `sweeps plan` says what
            the trials will cost. Of a machine that is paid as a whole, its price by the trials that run at
            once.
    """

    later: ClassVar[frozenset[str]] = frozenset({"packing", "price_per_hour"})

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    max_concurrent: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    packing: Packing = "off"
    price_per_hour: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _whole_above_one(self) -> Self:
        for name in ("cpus", "gpus"):
            amount = getattr(self, name)
            if amount > 1 and amount != int(amount):
                raise PartError(name, amount, "a whole number above 1")
        return self


class Tracking(Part):
    """What is recorded in MLflow.

    Attributes:
        experiment: the MLflow experiment.
        figures: whether a trial stores samples, reconstructions and latents as pictures.
    """

    experiment: str = Field(default="iwae-sweeps", min_length=1)
    figures: bool = True
