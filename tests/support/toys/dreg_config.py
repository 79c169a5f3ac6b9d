"""The configuration of the toy estimator, as it would stand in iwae/config/objective.py."""

from typing import ClassVar, Literal

from iwae.config.objective import ObjectivePart


class DRegConfig(ObjectivePart):
    """The IWAE bound, its encoder's gradient doubly reparameterized (Tucker et al. 2019)."""

    built_by: ClassVar[str] = "iwae.objectives.dreg:DReG"

    name: Literal["dreg"]
