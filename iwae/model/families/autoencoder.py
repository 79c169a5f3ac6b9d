"""A deterministic autoencoder: the baseline that codes and reconstructs, and is no distribution."""

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.config.model import AutoencoderConfig
from iwae.model.densities import LogDensities
from iwae.model.initialization import initialize
from iwae.model.likelihood import build_likelihood, pixel_statistics
from iwae.model.networks import decoder_network, encoder_network
from iwae.model.protocol import LatentModel


class Autoencoder(LatentModel):
    """An encoder and a decoder around a code of D numbers.

    There is no prior and no posterior, so that a log-weight is log p(x|z) at the code alone: minus the
    reconstruction loss.

    Args:
        config: of this family.
        layout: of an item.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: as of ``VAE``.
    """

    def __init__(
        self,
        config: AutoencoderConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: AutoencoderConfig = config
        self.encoder = encoder_network(config, layout, config.latent_dim)
        self.decoder = decoder_network(config, layout, config.latent_dim, config.numbers_per_pixel)
        self.likelihood = build_likelihood(config, layout.num_pixels)
        if generator is not None:
            statistics = None if train_pixels is None else pixel_statistics(train_pixels)
            initialize(self.encoder, self.decoder, self.likelihood, config, generator, statistics)

    def encode(self, x: Tensor) -> Tensor:
        """The codes of items ``[B, X]``: ``[B, D]``."""
        codes: Tensor = self.encoder(x)
        return codes

    def decode(self, z: Tensor) -> Tensor:
        """The items of codes ``[..., D]``: ``[..., X]``."""
        return self.likelihood.mean(self.decoder(z))

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, 0)``: no noise."""
        return num_samples, num_images, 0

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Tensor | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """Log p(x|z) at the code of every item, ``[1, B]``; what would be densities of z are 0."""
        codes = self.encode(x) if posterior is None else posterior
        fit = self.likelihood.log_prob(self.decoder(codes[None]), x)  # [1, B, n X] -> [1, B]
        nothing = torch.zeros_like(fit)
        return LogDensities(fit, nothing, nothing, self.unit_kl(codes))

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Refused: there is no prior to draw from, and ``ModelPart.generates`` is false.

        Raises:
            ValueError: always.
        """
        raise ValueError("an autoencoder has no prior to draw from")

    def unit_means(self, posterior: Tensor) -> Tensor:
        """The codes, ``[B, D]``."""
        return posterior

    def unit_kl(self, posterior: Tensor) -> Tensor:
        """0 for every number of a code, ``[B, D]``: there is no prior."""
        return torch.zeros_like(posterior)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The layers' weights and biases."""
        return {"encoder": list(self.encoder.parameters()), "decoder": list(self.decoder.parameters())}

    @property
    def widest(self) -> int:
        """The largest of X and the layers."""
        config, layout = self.config, self.layout
        layers = config.encoder_layers(layout, config.latent_dim)
        layers += config.decoder_layers(layout, config.latent_dim, config.numbers_per_pixel)
        return max(layout.num_pixels, *(layer.outputs for layer in layers))
