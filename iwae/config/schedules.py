"""What changes while a model trains: annealing of the objective, the optimizer and its learning rate."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iwae.config.limits import Count, Counts, FloatTuple
from iwae.config.part import Part, PartError


class NoAnnealing(Part):
    """The weight is constant."""

    name: Literal["none"]


class WarmUp(Part):
    """A weight that rises from ``start`` to its end value and stays there.

    Attributes:
        target: ``beta`` scales log p(z) − log q(z|x), ``entropy_weight`` only −log q(z|x).
        warmup_epochs: epochs until the end value; at most ``num_epochs``.
        start: the weight at the first step, as a share of the end value.
    """

    name: Literal["linear", "cosine", "sigmoid"]
    target: Literal["beta", "entropy_weight"] = "beta"
    warmup_epochs: Count = 10
    start: float = Field(default=0.0, ge=0, lt=1)


class CyclicalAnnealing(Part):
    """Ramps that start again, over the whole training (Fu et al. 2019).

    Attributes:
        cycles: M, the number of cycles.
        ramp_share: R, the share of a cycle in which the weight rises; then it stays at its end value.
    """

    name: Literal["cyclical"]
    target: Literal["beta", "entropy_weight"] = "beta"
    cycles: Count = 4
    ramp_share: float = Field(default=0.5, gt=0, le=1)
    start: float = Field(default=0.0, ge=0, lt=1)


AnnealingConfig = Annotated[NoAnnealing | WarmUp | CyclicalAnnealing, Field(discriminator="name")]


class ConstantRate(Part):
    """The learning rate stays."""

    name: Literal["constant"]


class StagedRate(Part):
    """The learning rate is ``lr * factors[i]`` in stage i, which lasts ``epochs[i]`` epochs.

    Burda et al. 2016: 3^i epochs with 10^(−i/7), i = 0 … 7. Training may end before the last stage does.
    """

    name: Literal["stages"]
    epochs: Counts = Field(min_length=1)
    factors: FloatTuple = Field(min_length=1)

    @model_validator(mode="after")
    def _one_factor_a_stage(self) -> Self:
        if len(self.factors) != len(self.epochs):
            raise PartError("factors", list(self.factors), f"{len(self.epochs)} numbers, one for each stage")
        return self


class CosineRate(Part):
    """The learning rate falls along half a cosine to ``lr * final_factor`` at the last step."""

    name: Literal["cosine"]
    final_factor: float = Field(default=0.0, ge=0, le=1)


RateSchedule = Annotated[ConstantRate | StagedRate | CosineRate, Field(discriminator="name")]
