"""VQVAEConfig: discrete codes from a codebook, with a prior over their grid."""

import itertools
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from iwae.config.layout import Layout
from iwae.config.limits import Width, Widths
from iwae.config.model.families.pixel_cnn import PixelCNNSize
from iwae.config.model.likelihood import LikelihoodPart
from iwae.config.model.part import Evidence
from iwae.config.model.sizes import Floats, Flops
from iwae.errors import ConfigError

# Residual blocks of either network, as in the paper.
RESIDUAL_BLOCKS = 2


class _Layer(NamedTuple):
    """Attributes: multiply-adds of one use, biases, uses for an item, numbers that it gives for an item."""

    weights: int
    biases: int
    uses: int
    values: int


class VQVAEConfig(LikelihoodPart):
    """A VQ-VAE (van den Oord et al. 2017): an item becomes a grid of codes, whose prior is a gated PixelCNN.

    Attributes:
        name: ``vq-vae``.
        networks: ``conv`` for images, ``mlp`` for flat features too.
        num_codes: codes in the codebook.
        latent_dim: numbers of a code.
        downsamplings: of ``conv``, times that height and width are halved: 28×28 becomes 7×7 codes after 2.
        channels: of ``conv``, width of the convolutions.
        num_positions: of ``mlp``, codes of an item.
        hidden_dims: of ``mlp``, widths of the encoder's hidden layers; the decoder mirrors them.
        commitment: β, how strongly the encoder is held to its codes.
        codebook: how codes are trained: ``ema``, the moving average of the vectors that they stand for, or
            ``gradient``.
        revive_below: a code used less often than this part of an even share becomes one of the minibatch's
            vectors; 0 leaves dead codes dead.
        prior_features: width of the prior's stacks.
        prior_layers: gated layers of the prior.
    """

    built_by: ClassVar[str] = "iwae.model.families.vq_vae:VQVAE"

    name: Literal["vq-vae"]
    networks: Literal["conv", "mlp"] = "conv"
    num_codes: Annotated[int, Field(ge=2, le=65536)] = 64
    latent_dim: Width = 16
    downsamplings: Annotated[int, Field(ge=1, le=6)] = 2
    channels: Width = 64
    num_positions: Width = 16
    hidden_dims: Widths = (400,)
    commitment: Annotated[float, Field(gt=0)] = 0.25
    codebook: Literal["ema", "gradient"] = "ema"
    revive_below: Annotated[float, Field(ge=0, le=1)] = 0.1
    prior_features: Width = 32
    prior_layers: Annotated[int, Field(ge=1, le=50)] = 4

    @property
    def evidence(self) -> Evidence:
        """A bound: p(x) has a term for every grid of codes, and the encoder's is one of them."""
        return "bound"

    @property
    def analytic_kl(self) -> bool:
        """A code is a point: no KL of Gaussians."""
        return False

    @property
    def gaussian_posterior(self) -> bool:
        """A code is a point."""
        return False

    @property
    def packs(self) -> bool:
        """The codebook is trained beside the gradient, one model at a time."""
        return False

    @property
    def most_samples(self) -> int | None:
        """The encoder gives one grid of codes, always the same."""
        return 1

    def grid(self, layout: Layout) -> tuple[int, int]:
        """Height and width of the grid of codes.

        Raises:
            ConfigError: the networks are convolutions, and the items are no images.
        """
        if self.networks == "mlp":
            return 1, self.num_positions
        if layout.image_shape is None:
            raise ConfigError(
                "model.networks",
                "conv is not allowed: must be mlp, as the data are no images but flat features",
            )
        height, width, _ = layout.image_shape
        size = 2**self.downsamplings
        return -(-height // size), -(-width // size)

    def prior_size(self, layout: Layout) -> PixelCNNSize:
        """Of the prior, which sees all codes before a code."""
        features, whole = self.prior_features, max(self.grid(layout)) - 1
        return PixelCNNSize(1, features, self.num_codes, features, self.prior_layers, whole, 0)

    def flops(self, layout: Layout) -> Flops:
        """The operations of the networks, of the search for the nearest codes and of the prior."""
        height, width = self.grid(layout)
        search = height * width * self.num_codes * self.latent_dim
        encoder = sum(layer.weights * layer.uses for layer in self._encoder(layout))
        decoder = sum(layer.weights * layer.uses for layer in self._decoder(layout))
        prior = height * width * self.prior_size(layout).weights
        return Flops(2.0 * (encoder + search), 2.0 * (decoder + prior))

    def floats(self, layout: Layout) -> Floats:
        """What the networks, the codebook and the prior hold."""
        encoder, decoder = list(self._encoder(layout)), list(self._decoder(layout))
        places = self.grid(layout)[0] * self.grid(layout)[1]
        prior = self.prior_size(layout)
        pixels = layout.num_pixels
        parameters = (
            sum(layer.weights + layer.biases for layer in (*encoder, *decoder))
            + prior.parameters
            + self.num_codes * self.prior_features
            + pixels * self.numbers_per_pixel
            + self.likelihood_parameters(pixels)
            + (self.num_codes * self.latent_dim if self.codebook == "gradient" else 0)
        )
        image = pixels + sum(layer.values for layer in encoder) + places * self.num_codes
        sample = (
            sum(layer.values for layer in decoder)
            + 2 * max(layer.values for layer in (*encoder, *decoder))
            + self.likelihood_floats(pixels)
            + places * prior.floats
        )
        return Floats(parameters, image, sample, 0)

    def widest(self, layout: Layout) -> int:
        """Numbers of the widest layer for an item, pixels included."""
        places = self.grid(layout)[0] * self.grid(layout)[1]
        networks = (*self._encoder(layout), *self._decoder(layout))
        prior = places * max(self.num_codes, 2 * self.prior_features)
        return max(layout.num_pixels, prior, *(layer.values for layer in networks))

    def _encoder(self, layout: Layout) -> Iterator[_Layer]:
        if self.networks == "mlp":
            yield from _dense((layout.num_pixels, *self.hidden_dims, self.num_positions * self.latent_dim))
            return
        height, width = self.grid(layout)
        channels, inputs = self.channels, _colours(layout)
        for halvings in range(self.downsamplings - 1, -1, -1):
            places = height * width * 4**halvings
            yield _Layer(16 * inputs * channels, channels, places, places * channels)
            inputs = channels
        places = height * width
        yield from self._residual(channels, places)
        yield _Layer(channels * self.latent_dim, self.latent_dim, places, places * self.latent_dim)

    def _decoder(self, layout: Layout) -> Iterator[_Layer]:
        outputs = self.numbers_per_pixel
        if self.networks == "mlp":
            inner = (self.num_positions * self.latent_dim, *self.hidden_dims[::-1])
            yield from _dense((*inner, outputs * layout.num_pixels))
            return
        height, width = self.grid(layout)
        channels, places = self.channels, height * width
        yield from self._residual(self.latent_dim, places)
        for doublings in range(self.downsamplings):
            last = doublings == self.downsamplings - 1
            given = outputs * _colours(layout) if last else channels
            yield _Layer(16 * channels * given, given, places, 4 * places * given)
            places *= 4

    def _residual(self, inputs: int, places: int) -> Iterator[_Layer]:
        """A convolution and the residual blocks."""
        channels = self.channels
        yield _Layer(9 * inputs * channels, channels, places, places * channels)
        for _ in range(RESIDUAL_BLOCKS):  # each keeps what it was given, too
            yield _Layer(9 * channels * channels, channels, places, 2 * places * channels)
            yield _Layer(channels * channels, channels, places, places * channels)


def _colours(layout: Layout) -> int:
    assert layout.image_shape is not None
    return layout.image_shape[2]


def _dense(widths: tuple[int, ...]) -> Iterator[_Layer]:
    for inputs, outputs in itertools.pairwise(widths):
        yield _Layer(inputs * outputs, outputs, 1, outputs)
