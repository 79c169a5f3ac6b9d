"""The configurations of the toys, as they would stand in iwae/config/model.py and objective.py."""

from typing import ClassVar, Literal

from iwae.config.limits import Width
from iwae.config.model import Floats, Flops
from iwae.config.objective import ObjectivePart
from iwae.config.part import Part


class PPCAConfig(Part):
    """Probabilistic PCA (Tipping and Bishop 1999).

    Attributes:
        latent_dim: D, the latent size.
    """

    built_by: ClassVar[str] = "iwae.model.ppca:PPCA"

    name: Literal["ppca"]
    latent_dim: Width = 2
    likelihood: Literal["gaussian"] = "gaussian"

    def flops(self, num_pixels: int) -> Flops:
        """Of the two matrices."""
        return Flops(2.0 * self.latent_dim * num_pixels, 2.0 * self.latent_dim * num_pixels)

    def floats(self, num_pixels: int) -> Floats:
        """Of the means of the pixels, with the squared residuals and their gradients."""
        parameters = (2 * self.latent_dim + 1) * num_pixels + self.latent_dim * (self.latent_dim + 2) + 1
        return Floats(parameters, num_pixels, 4 * num_pixels + 4 * self.latent_dim, self.latent_dim)


class DRegConfig(ObjectivePart):
    """The IWAE bound, its encoder's gradient doubly reparameterized (Tucker et al. 2019)."""

    built_by: ClassVar[str] = "iwae.objectives.dreg:DReG"

    name: Literal["dreg"]
