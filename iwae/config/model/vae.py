"""VAEConfig: encoder and decoder, one layer of latents."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from iwae.config.layout import Layout
from iwae.config.limits import Width
from iwae.config.model.layers import Layer, dense_layers
from iwae.config.model.networks import NetworksPart
from iwae.config.model.posterior import FlowPosterior, GaussianPosterior, PosteriorConfig
from iwae.config.model.prior import PriorConfig, StandardNormalPrior, VampPrior, prior_parameters
from iwae.config.model.sizes import Floats, Flops
from iwae.config.part import PartError


class LatentPart(NetworksPart):
    """Encoder and decoder, one layer of latents.

    Attributes:
        latent_dim: D, the latent size.
        prior: p(z): ``standard-normal``, ``mixture`` or ``vampprior``.
        posterior: q(z|x): ``gaussian`` or ``flow``.
    """

    later: ClassVar[frozenset[str]] = NetworksPart.later | {"prior", "posterior"}

    latent_dim: Width = 20
    prior: PriorConfig = StandardNormalPrior()
    posterior: PosteriorConfig = GaussianPosterior()

    @model_validator(mode="after")
    def _flow_has_parts(self) -> Self:
        if not isinstance(self.posterior, FlowPosterior):
            return self
        if not self.posterior.auxiliary and self.latent_dim == 1:
            raise PartError(
                "posterior.auxiliary", "false", "true when latent_dim is 1: one latent has no halves"
            )
        if isinstance(self.prior, VampPrior):
            raise PartError(
                "posterior.name", "flow", "gaussian when prior is vampprior, which is made of the posterior"
            )
        return self

    @property
    def analytic_kl(self) -> bool:
        """With a standard normal prior and a Gaussian posterior."""
        return isinstance(self.prior, StandardNormalPrior) and self.posterior.analytic_kl

    @property
    def gaussian_posterior(self) -> bool:
        """Unless it is a flow."""
        return isinstance(self.posterior, GaussianPosterior)

    def flops(self, layout: Layout) -> Flops:
        """The operations of the networks, for items of this layout."""
        encoder = self.encoder_layers(layout, self.posterior.head(self.latent_dim))
        decoder = self.decoder_layers(layout, self.latent_dim, self.numbers_per_pixel)
        decoder += self._flow_layers()
        prior = 4.0 * self.prior.num_components * self.latent_dim
        return Flops(
            2.0 * sum(layer.multiply_adds for layer in encoder),
            2.0 * sum(layer.multiply_adds for layer in decoder) + prior,
        )

    def floats(self, layout: Layout) -> Floats:
        """What the networks hold, for items of this layout."""
        num_pixels = layout.num_pixels
        encoder = self.encoder_layers(layout, self.posterior.head(self.latent_dim))
        decoder = self.decoder_layers(layout, self.latent_dim, self.numbers_per_pixel)
        flow = self._flow_layers()
        parameters = sum(layer.parameters for layer in encoder + decoder + flow)
        parameters += self.likelihood_parameters(num_pixels)
        parameters += prior_parameters(self.prior, self.latent_dim, num_pixels)
        # The derivative of ELU is had from its input, of the others from their output, which is kept anyway.
        copies = 2 if self.activation == "elu" else 1
        encoded = num_pixels + copies * sum(layer.outputs for layer in encoder[:-1])
        encoded += 2 * max(layer.outputs for layer in encoder)
        # Outputs and their gradient, or the latter and the hidden layer's; z, z² and the terms of log q.
        last = self.likelihood_floats(num_pixels) + max(
            self.latent_dim, *(layer.outputs for layer in decoder)
        )
        hidden = copies * sum(layer.outputs for layer in decoder[:-1] + flow)
        # Of every component of a prior the scaled distances, with what their gradient needs.
        distances = 3 * self.prior.num_components * self.latent_dim
        sampled = last + hidden + 4 * self.latent_dim + distances
        return Floats(parameters, encoded, sampled, self.posterior.noise(self.latent_dim))

    def _flow_layers(self) -> list[Layer]:
        return [
            layer for widths in self.posterior.networks(self.latent_dim) for layer in dense_layers(widths)
        ]


class VAEConfig(LatentPart):
    """A variational autoencoder.

    Attributes:
        name: ``vae``; may be left out.
    """

    built_by: ClassVar[str] = "iwae.model.vae:VAE"
    later: ClassVar[frozenset[str]] = LatentPart.later | {"name"}
    recorded_order: ClassVar[tuple[str, ...]] = (
        *("name", "hidden_dims", "decoder_hidden_dims", "latent_dim", "activation"),
        *("likelihood", "observation_std", "init", "output_bias"),
    )

    name: Literal["vae"] = "vae"
