"""AutoencoderConfig: a deterministic code of every item; it has no likelihood."""

from typing import ClassVar, Literal

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.limits import Width
from iwae.config.model.networks import NetworksPart
from iwae.config.model.part import Evidence
from iwae.config.model.sizes import Floats, Flops
from iwae.config.objective import ObjectivePart
from iwae.config.part import PartError


class AutoencoderConfig(NetworksPart):
    """Encoder and decoder around a code of D numbers, compared by the reconstruction error.

    Attributes:
        name: ``autoencoder``.
        latent_dim: D, the numbers of a code.
        likelihood: log p(x|z) at an item's code is what is maximized: minus the cross-entropy of binary
            pixels, or minus the squared error, over 2 σ². The code is no draw, so that it bounds no log p(x).
    """

    built_by: ClassVar[str] = "iwae.model.families.autoencoder:Autoencoder"

    name: Literal["autoencoder"]
    latent_dim: Width = 20

    @property
    def evidence(self) -> Evidence:
        """It is no distribution of items."""
        return "none"

    @property
    def generates(self) -> bool:
        """It has no prior to draw from."""
        return False

    @property
    def gaussian_posterior(self) -> bool:
        """It has no posterior."""
        return False

    @property
    def most_samples(self) -> int | None:
        """A code is not drawn."""
        return 1

    def check_run(self, data: DataConfig, objective: ObjectivePart) -> None:
        """Refuses dequantization, whose density would be of nothing."""
        if data.dequantization != "none":
            raise PartError(
                "data.dequantization",
                data.dequantization,
                f"none when model.name is {self.name}: it has no likelihood",
            )
        super().check_run(data, objective)

    def flops(self, layout: Layout) -> Flops:
        """The operations of the networks, for items of this layout."""
        encoder = self.encoder_layers(layout, self.latent_dim)
        decoder = self.decoder_layers(layout, self.latent_dim, self.numbers_per_pixel)
        return Flops(*(2.0 * sum(layer.multiply_adds for layer in layers) for layers in (encoder, decoder)))

    def floats(self, layout: Layout) -> Floats:
        """What the networks hold, for items of this layout."""
        num_pixels = layout.num_pixels
        encoder = self.encoder_layers(layout, self.latent_dim)
        decoder = self.decoder_layers(layout, self.latent_dim, self.numbers_per_pixel)
        parameters = sum(layer.parameters for layer in encoder + decoder)
        parameters += self.likelihood_parameters(num_pixels)
        copies = 2 if self.activation == "elu" else 1
        encoded = num_pixels + copies * sum(layer.outputs for layer in encoder[:-1])
        encoded += 2 * max(layer.outputs for layer in encoder)
        widest = max(self.latent_dim, *(layer.outputs for layer in decoder))
        hidden = copies * sum(layer.outputs for layer in decoder[:-1])
        return Floats(parameters, encoded, self.likelihood_floats(num_pixels) + widest + hidden, 0)
