"""ConditionalConfig: a VAE that is told the class of each item."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from iwae.config.model.prior import VampPrior
from iwae.config.model.vae import LatentPart
from iwae.config.part import PartError


class ConditionalConfig(LatentPart):
    """A VAE whose encoder and decoder are told the class of each item; its NLL is of x given the class.

    Attributes:
        name: ``conditional``.
    """

    built_by: ClassVar[str] = "iwae.model.families.conditional:Conditional"

    name: Literal["conditional"]

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if isinstance(self.prior, VampPrior):
            raise PartError("prior.name", "vampprior", "standard-normal or mixture when name is conditional")
        return self

    @property
    def conditional(self) -> bool:
        """It is told the class."""
        return True
