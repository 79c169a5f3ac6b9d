"""VAEConfig: dense encoder and decoder, one layer of Gaussian latents."""

import itertools
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iwae.config.layout import Layout
from iwae.config.limits import Width, Widths
from iwae.config.model.part import Likelihood, ModelPart
from iwae.config.model.sizes import Floats, Flops
from iwae.config.part import PartError


class VAEConfig(ModelPart):
    """Dense encoder and decoder, one layer of Gaussian latents.

    Attributes:
        name: ``vae``; may be left out.
        hidden_dims: widths of the encoder's hidden layers, from the pixels inward.
        decoder_hidden_dims: widths of the decoder's, from the latents outward; null mirrors the encoder.
        latent_dim: D, the latent size.
        likelihood: ``bernoulli`` for binary pixels, ``gaussian`` for intensities in [0, 1].
        observation_std: standard deviation of the Gaussian likelihood, used as it is; ``learned`` is one
            shared scalar, kept above 9.1e-4.
        init: ``pytorch`` (each layer's own default) or ``glorot`` (uniform √(6/(in+out)), zero biases).
        output_bias: bias of the last layer: ``default`` (what init gives), ``zero``, or ``train_mean``
            (logit of the clipped mean of the training pixels, under ``threshold`` the rounded ones,
            Burda et al. 2016; the mean itself under a Gaussian).
    """

    built_by: ClassVar[str] = "iwae.model.vae:VAE"
    later: ClassVar[frozenset[str]] = frozenset({"name"})

    name: Literal["vae"] = "vae"
    hidden_dims: Widths = (400,)
    decoder_hidden_dims: Widths | None = None
    latent_dim: Width = 20
    activation: Literal["relu", "tanh", "elu"] = "relu"
    likelihood: Likelihood = "bernoulli"
    observation_std: Annotated[float, Field(ge=1e-12, le=1e12)] | Literal["learned"] = "learned"
    init: Literal["pytorch", "glorot"] = "pytorch"
    output_bias: Literal["default", "zero", "train_mean"] = "default"

    @model_validator(mode="after")
    def _std_belongs_to_gaussian(self) -> Self:
        if self.likelihood == "bernoulli" and self.observation_std != "learned":
            raise PartError("observation_std", self.observation_std, "left out when likelihood is bernoulli")
        return self

    @property
    def decoder_widths(self) -> tuple[int, ...]:
        """Widths of the decoder's hidden layers, from the latents outward."""
        return self.hidden_dims[::-1] if self.decoder_hidden_dims is None else self.decoder_hidden_dims

    def flops(self, layout: Layout) -> Flops:
        """The operations of the dense layers, for items of this layout."""
        num_pixels = layout.num_pixels
        encoder = (num_pixels, *self.hidden_dims, 2 * self.latent_dim)
        decoder = (self.latent_dim, *self.decoder_widths, num_pixels)
        return Flops(2.0 * _multiply_adds(encoder), 2.0 * _multiply_adds(decoder))

    def floats(self, layout: Layout) -> Floats:
        """What the dense layers hold, for items of this layout."""
        num_pixels = layout.num_pixels
        encoder = (num_pixels, *self.hidden_dims, 2 * self.latent_dim)
        decoder = (self.latent_dim, *self.decoder_widths, num_pixels)
        parameters = _multiply_adds(encoder) + sum(encoder[1:]) + _multiply_adds(decoder) + sum(decoder[1:])
        parameters += self.likelihood == "gaussian" and self.observation_std == "learned"
        # The derivative of ELU is had from its input, of the others from their output, which is kept anyway.
        copies = 2 if self.activation == "elu" else 1
        encoded = num_pixels + copies * sum(self.hidden_dims) + 2 * max(encoder[1:])
        # Logits and their gradient, or the latter and the hidden layer's; z, z² and the terms of log q.
        last = num_pixels + max(num_pixels, *decoder[:-1])
        sampled = last + copies * sum(self.decoder_widths) + 4 * self.latent_dim
        return Floats(parameters, encoded, sampled, self.latent_dim)


def _multiply_adds(widths: tuple[int, ...]) -> int:
    return sum(inputs * outputs for inputs, outputs in itertools.pairwise(widths))
