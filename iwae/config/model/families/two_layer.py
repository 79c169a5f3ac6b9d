"""TwoLayerConfig: two stochastic layers."""

from typing import ClassVar, Literal

from iwae.config.layout import Layout
from iwae.config.limits import Width, Widths
from iwae.config.model.layers import Layer, dense_layers
from iwae.config.model.networks import NetworksPart
from iwae.config.model.sizes import Floats, Flops


class TwoLayerConfig(NetworksPart):
    """Two layers of Gaussian latents, z1 by the pixels and z2 behind it (Burda et al. 2016, §5).

    q(z1|x) q(z2|z1) and p(z2) p(z1|z2) p(x|z1). The defaults are the widths of the paper.

    Attributes:
        name: ``two-layer``.
        hidden_dims: of the networks between pixels and z1, from the pixels inward.
        first_latent_dim: D1, the size of z1.
        latent_hidden_dims: widths of the hidden layers between z1 and z2, from z1 inward; the decoder's are
            mirrored.
        latent_dim: D2, the size of z2.
    """

    built_by: ClassVar[str] = "iwae.model.families.two_layer:TwoLayer"

    name: Literal["two-layer"]
    hidden_dims: Widths = (200, 200)
    first_latent_dim: Width = 100
    latent_hidden_dims: Widths = (100, 100)
    latent_dim: Width = 50

    @property
    def layers(self) -> tuple[int, ...]:
        """D1 and D2."""
        return self.first_latent_dim, self.latent_dim

    @property
    def analytic_kl(self) -> bool:
        """What z1 adds to it is a mean over draws of both."""
        return False

    @property
    def gaussian_posterior(self) -> bool:
        """q(z2|x) is a mixture over z1."""
        return False

    @property
    def latent_encoder_widths(self) -> tuple[int, ...]:
        """Of the network of q(z2|z1): from z1 to mean and log-variance of z2."""
        return (self.first_latent_dim, *self.latent_hidden_dims, 2 * self.latent_dim)

    @property
    def latent_decoder_widths(self) -> tuple[int, ...]:
        """Of the network of p(z1|z2): from z2 to mean and log-variance of z1."""
        return (self.latent_dim, *self.latent_hidden_dims[::-1], 2 * self.first_latent_dim)

    def flops(self, layout: Layout) -> Flops:
        """The operations of the networks; the first runs once an item, the others once a sample."""
        encoder, sampled = self._networks(layout)
        return Flops(*(2.0 * sum(layer.multiply_adds for layer in layers) for layers in (encoder, sampled)))

    def floats(self, layout: Layout) -> Floats:
        """What the networks hold, for items of this layout."""
        encoder, sampled = self._networks(layout)
        parameters = sum(layer.parameters for layer in encoder + sampled)
        parameters += self.likelihood_parameters(layout.num_pixels)
        # The derivative of ELU is had from its input, of the others from their output, which is kept anyway.
        copies = 2 if self.activation == "elu" else 1
        encoded = layout.num_pixels + copies * sum(layer.outputs for layer in encoder[:-1])
        encoded += 2 * max(layer.outputs for layer in encoder)
        # The likelihood's input and its gradient, or the latter and the hidden layer's. Of every unit its
        # draw and the terms of two densities; what the networks between the latents give counts as hidden.
        last = self.likelihood_floats(layout.num_pixels) + max(layer.outputs for layer in sampled)
        hidden = copies * sum(layer.outputs for layer in sampled[:-1])
        return Floats(parameters, encoded, last + hidden + 6 * self.num_units, self.num_units)

    def _networks(self, layout: Layout) -> tuple[list[Layer], list[Layer]]:
        """The layers that an item takes once, and those that every sample takes, outputs last."""
        latents = dense_layers(self.latent_encoder_widths) + dense_layers(self.latent_decoder_widths)
        decoder = self.decoder_layers(layout, self.first_latent_dim, self.numbers_per_pixel)
        return self.encoder_layers(layout, 2 * self.first_latent_dim), latents + decoder
