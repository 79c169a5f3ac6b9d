"""What the networks of an encoder and a decoder may be."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from iwae.config.layout import Layout
from iwae.config.limits import Widths
from iwae.config.model.layers import Layer, conv_decoder_layers, conv_encoder_layers, dense_layers
from iwae.config.model.likelihood import LikelihoodPart, OutputBias
from iwae.config.part import PartError
from iwae.errors import ConfigError

# Where convolutions are asked for and no channels are given.
CHANNELS = (32, 64)


class NetworksPart(LikelihoodPart):
    """A model with an encoder and a decoder of hidden layers.

    Attributes:
        networks: ``mlp``: dense layers. ``conv``: convolutions of stride 2, each of which halves height and
            width, with one dense layer behind them; the decoder mirrors it with transposed ones. For images.
        hidden_dims: widths of the encoder's hidden layers, from the pixels inward; of ``conv`` the channels,
            (32, 64) where they are left out.
        decoder_hidden_dims: widths, or channels, of the decoder's, from the latents outward; null mirrors the
            encoder.
        activation: behind every hidden layer.
        init: ``pytorch`` (each layer's own default) or ``glorot`` (uniform √(6/(in+out)), zero biases).
        output_bias: bias of the last layer, one for every pixel: ``default`` (what init gives), ``zero``, or
            ``train_mean`` (logit of the clipped mean of the training pixels, under ``threshold`` the rounded
            ones, Burda et al. 2016; the mean itself under the other likelihoods).
    """

    later: ClassVar[frozenset[str]] = LikelihoodPart.later | {"networks"}

    networks: Literal["mlp", "conv"] = "mlp"
    hidden_dims: Widths = (400,)
    decoder_hidden_dims: Widths | None = None
    activation: Literal["relu", "tanh", "elu"] = "relu"
    init: Literal["pytorch", "glorot"] = "pytorch"
    output_bias: OutputBias = "default"

    @model_validator(mode="before")
    @classmethod
    def _fill_channels(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("networks") != "conv":
            return values
        return {"hidden_dims": CHANNELS, **values}

    @model_validator(mode="after")
    def _convolutions_are_there(self) -> Self:
        for name, channels in (
            ("hidden_dims", self.hidden_dims),
            ("decoder_hidden_dims", self.decoder_widths),
        ):
            if self.networks == "conv" and not channels:
                raise PartError(
                    name, "an empty list", "at least one number of channels when networks is conv"
                )
        return self

    @property
    def decoder_widths(self) -> tuple[int, ...]:
        """Widths, or channels, of the decoder's hidden layers, from the latents outward."""
        return self.hidden_dims[::-1] if self.decoder_hidden_dims is None else self.decoder_hidden_dims

    @property
    def packs(self) -> bool:
        """Not with convolutions: a batched one takes as long as each alone, or longer."""
        return self.networks == "mlp"

    def check_layout(self, layout: Layout) -> None:
        """Refuses convolutions of what is no image, or too small for so many halvings.

        Raises:
            ConfigError: as it says.
        """
        if self.networks == "mlp":
            return
        if layout.image_shape is None:
            raise ConfigError(
                "model.networks",
                "conv is not allowed: must be mlp, as the data are no images but flat features",
            )
        height, width, _ = layout.image_shape
        most = min(height, width).bit_length() - 1
        for name, channels in (
            ("hidden_dims", self.hidden_dims),
            ("decoder_hidden_dims", self.decoder_widths),
        ):
            if len(channels) > most:
                raise ConfigError(
                    f"model.{name}",
                    f"{len(channels)} layers are not allowed: must be at most {most} convolutions for"
                    f" images of {height} × {width}, as each halves height and width",
                )

    def encoder_layers(self, layout: Layout, outputs: int) -> list[Layer]:
        """Of an encoder whose last layer gives so many numbers of an item.

        Raises:
            ConfigError: as ``check_layout``.
        """
        self.check_layout(layout)
        if self.networks == "conv":
            assert layout.image_shape is not None
            return conv_encoder_layers(layout.image_shape, self.hidden_dims, outputs, self.told(layout))
        return dense_layers((layout.num_pixels + self.told(layout), *self.hidden_dims, outputs))

    def decoder_layers(self, layout: Layout, inputs: int, numbers: int) -> list[Layer]:
        """Of a decoder that makes so many numbers of every pixel from ``inputs`` latents.

        Raises:
            ConfigError: as ``check_layout``.
        """
        self.check_layout(layout)
        inputs += self.told(layout)
        if self.networks == "conv":
            assert layout.image_shape is not None
            return conv_decoder_layers(inputs, self.decoder_widths, layout.image_shape, numbers)
        return dense_layers((inputs, *self.decoder_widths, numbers * layout.num_pixels))

    def told(self, layout: Layout) -> int:
        """Numbers of an item that encoder and decoder are told beside their other inputs."""
        return layout.num_attributes if self.conditional else 0
