"""ModelConfig: encoder, decoder, posterior and likelihood."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iwae.config.limits import Width, Widths
from iwae.config.part import Part, PartError


class ModelConfig(Part):
    """Encoder, decoder, posterior and likelihood.

    Attributes:
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

    hidden_dims: Widths = (400,)
    decoder_hidden_dims: Widths | None = None
    latent_dim: Width = 20
    activation: Literal["relu", "tanh", "elu"] = "relu"
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    observation_std: Annotated[float, Field(ge=1e-12, le=1e12)] | Literal["learned"] = "learned"
    init: Literal["pytorch", "glorot"] = "pytorch"
    output_bias: Literal["default", "zero", "train_mean"] = "default"

    @model_validator(mode="after")
    def _std_belongs_to_gaussian(self) -> Self:
        if self.likelihood == "bernoulli" and self.observation_std != "learned":
            raise PartError("observation_std", self.observation_std, "left out when likelihood is bernoulli")
        return self
