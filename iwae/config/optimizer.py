"""OptimizerConfig: Adam, and the schedule of its learning rate."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iwae.config.part import Part, PartError
from iwae.config.schedules import ConstantRate, RateSchedule


class OptimizerConfig(Part):
    """Adam (Kingma and Ba 2015).

    Attributes:
        clip_grad_norm: largest norm of the whole gradient; null clips nothing.
        reduction: the loss is the ``mean`` or, as in Burda's code, the ``sum`` over the minibatch.
    """

    name: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    betas: Annotated[tuple[float, float], Field(strict=False)] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    clip_grad_norm: float | None = Field(default=None, gt=0)
    reduction: Literal["mean", "sum"] = "mean"
    schedule: RateSchedule = ConstantRate(name="constant")

    @model_validator(mode="after")
    def _betas_below_one(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise PartError("betas", list(self.betas), "two numbers in [0, 1)")
        return self
