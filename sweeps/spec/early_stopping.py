"""The scheduler section of a spec: early stopping."""

from typing import Annotated, Literal

from pydantic import Field

from iwae.config.limits import Count
from iwae.config.part import Part
from sweeps.spec.search import MAX_TRIALS


class NoScheduler(Part):
    """Every trial runs to its end."""

    name: Literal["none"]


class AshaScheduler(Part):
    """Asynchronous successive halving (Li et al. 2020): at each rung only the best 1/η continue.

    Rungs are at ``grace_epochs · η^i`` epochs. With several brackets, bracket s leaves out the first s rungs
    (Hyperband's hedge against slow starters); a trial's bracket is drawn at random, the early-stopping ones
    more often.

    Attributes:
        grace_epochs: first rung; null is the longest warm-up in the space, at least one evaluation.
        reduction_factor: η.
        brackets: number of brackets.
    """

    name: Literal["asha"]
    grace_epochs: Count | None = None
    reduction_factor: int = Field(default=3, ge=2, le=MAX_TRIALS)
    brackets: int = Field(default=1, ge=1, le=MAX_TRIALS)


class MedianScheduler(Part):
    """Median stopping (Golovin et al. 2017).

    A trial ends when its best value is worse than the median of the other trials' running averages.

    Attributes:
        grace_epochs: epochs before a trial may end; null is the longest warm-up, at least one evaluation.
        min_trials: number of other trials that must have reached the same epoch before a trial may end.
    """

    name: Literal["median"]
    grace_epochs: Count | None = None
    min_trials: int = Field(default=3, ge=1, le=MAX_TRIALS)


Scheduler = Annotated[NoScheduler | AshaScheduler | MedianScheduler, Field(discriminator="name")]
