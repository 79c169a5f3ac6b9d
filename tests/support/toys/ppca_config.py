"""The configuration of the toy model, as it would stand in iwae/config/model/."""

from typing import ClassVar, Literal

from iwae.config.layout import Layout
from iwae.config.limits import Width
from iwae.config.model.part import ModelPart
from iwae.config.model.sizes import Floats, Flops


class PPCAConfig(ModelPart):
    """Probabilistic PCA (Tipping and Bishop 1999).

    Attributes:
        latent_dim: D, the latent size.
    """

    built_by: ClassVar[str] = "iwae.model.ppca:PPCA"

    name: Literal["ppca"]
    latent_dim: Width = 2
    likelihood: Literal["gaussian"] = "gaussian"

    def flops(self, layout: Layout) -> Flops:
        """Of the two matrices."""
        return Flops(2.0 * self.latent_dim * layout.num_pixels, 2.0 * self.latent_dim * layout.num_pixels)

    def floats(self, layout: Layout) -> Floats:
        """Of the means of the pixels, with the squared residuals and their gradients."""
        pixels, latents = layout.num_pixels, self.latent_dim
        parameters = (2 * latents + 1) * pixels + latents * (latents + 2) + 1
        return Floats(parameters, pixels, 4 * pixels + 4 * latents, latents)
