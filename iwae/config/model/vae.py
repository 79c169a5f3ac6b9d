"""VAEConfig: dense encoder and decoder, one layer of Gaussian latents."""

import itertools
from typing import ClassVar, Literal

from iwae.config.layout import Layout
from iwae.config.limits import Width, Widths
from iwae.config.model.likelihood import LikelihoodPart, OutputBias
from iwae.config.model.prior import PriorConfig, StandardNormalPrior, prior_parameters
from iwae.config.model.sizes import Floats, Flops


class VAEConfig(LikelihoodPart):
    """Dense encoder and decoder, one layer of Gaussian latents.

    Attributes:
        name: ``vae``; may be left out.
        hidden_dims: widths of the encoder's hidden layers, from the pixels inward.
        decoder_hidden_dims: widths of the decoder's, from the latents outward; null mirrors the encoder.
        latent_dim: D, the latent size.
        prior: p(z): ``standard-normal``, ``mixture`` or ``vampprior``.
        init: ``pytorch`` (each layer's own default) or ``glorot`` (uniform √(6/(in+out)), zero biases).
        output_bias: bias of the last layer: ``default`` (what init gives), ``zero``, or ``train_mean``
            (logit of the clipped mean of the training pixels, under ``threshold`` the rounded ones,
            Burda et al. 2016; the mean itself under the other likelihoods).
    """

    built_by: ClassVar[str] = "iwae.model.vae:VAE"
    later: ClassVar[frozenset[str]] = LikelihoodPart.later | {"name", "prior"}

    name: Literal["vae"] = "vae"
    hidden_dims: Widths = (400,)
    decoder_hidden_dims: Widths | None = None
    latent_dim: Width = 20
    activation: Literal["relu", "tanh", "elu"] = "relu"
    prior: PriorConfig = StandardNormalPrior()
    init: Literal["pytorch", "glorot"] = "pytorch"
    output_bias: OutputBias = "default"

    @property
    def analytic_kl(self) -> bool:
        """With a standard normal prior."""
        return isinstance(self.prior, StandardNormalPrior)

    @property
    def decoder_widths(self) -> tuple[int, ...]:
        """Widths of the decoder's hidden layers, from the latents outward."""
        return self.hidden_dims[::-1] if self.decoder_hidden_dims is None else self.decoder_hidden_dims

    def _decoder(self, layout: Layout) -> tuple[int, ...]:
        return (self.latent_dim, *self.decoder_widths, self.numbers_per_pixel * layout.num_pixels)

    def flops(self, layout: Layout) -> Flops:
        """The operations of the dense layers, for items of this layout."""
        encoder = (layout.num_pixels, *self.hidden_dims, 2 * self.latent_dim)
        prior = 4.0 * self.prior.num_components * self.latent_dim
        return Flops(2.0 * _multiply_adds(encoder), 2.0 * _multiply_adds(self._decoder(layout)) + prior)

    def floats(self, layout: Layout) -> Floats:
        """What the dense layers hold, for items of this layout."""
        num_pixels = layout.num_pixels
        encoder = (num_pixels, *self.hidden_dims, 2 * self.latent_dim)
        decoder = self._decoder(layout)
        parameters = _multiply_adds(encoder) + sum(encoder[1:]) + _multiply_adds(decoder) + sum(decoder[1:])
        parameters += self.likelihood_parameters(num_pixels)
        parameters += prior_parameters(self.prior, self.latent_dim, num_pixels)
        # The derivative of ELU is had from its input, of the others from their output, which is kept anyway.
        copies = 2 if self.activation == "elu" else 1
        encoded = num_pixels + copies * sum(self.hidden_dims) + 2 * max(encoder[1:])
        # Outputs and their gradient, or the latter and the hidden layer's; z, z² and the terms of log q.
        last = self.likelihood_floats(num_pixels) + max(decoder)
        # Of every component of a prior the scaled distances, with what their gradient needs.
        distances = 3 * self.prior.num_components * self.latent_dim
        sampled = last + copies * sum(self.decoder_widths) + 4 * self.latent_dim + distances
        return Floats(parameters, encoded, sampled, self.latent_dim)


def _multiply_adds(widths: tuple[int, ...]) -> int:
    return sum(inputs * outputs for inputs, outputs in itertools.pairwise(widths))
