"""A VAE that is told attributes y of each item, such as its class: q(z|x, y), p(z) and p(x|z, y)."""

from typing import NamedTuple

import torch
from torch import Tensor

from iwae.model.densities import LogDensities
from iwae.model.protocol import Encoding
from iwae.model.vae import VAE


class Told(NamedTuple):
    """What ``encode`` gives: that of the VAE, and the attributes ``[B, Y]``."""

    posterior: Encoding
    attributes: Tensor


class Conditional(VAE):
    """A VAE with y beside x in the encoder and beside z in the decoder (Sohn et al. 2015).

    Its likelihood is that of x given y. In items ``[B, X + Y]`` and in codes ``[..., D + Y]`` y stands last;
    with Y = 0 it is the VAE to the bit.
    """

    def encode(self, x: Tensor) -> Told:
        """q(z|x, y) of items ``[B, X + Y]``."""
        return Told(super().encode(x), x[..., self.num_pixels :])

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Told | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """As those of ``VAE``, given y."""
        told = self.encode(x) if posterior is None else posterior
        return super().log_densities(
            x,
            num_samples,
            noise=noise,
            generator=generator,
            posterior=told.posterior,
            stop_posterior=stop_posterior,
        )

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z, y) of items ``[B, X + Y]`` at latents ``[K, B, D]``: ``[K, B]``, in nats."""
        pixels, attributes = x[..., : self.num_pixels], x[..., self.num_pixels :]
        return super().log_likelihood(beside(z, attributes), pixels)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z, y) at draws from the prior, ``[num_images, X]``."""
        parameter = next(self.parameters())
        z = self.prior.sample(num_images, super().encode, generator, parameter.device)
        if attributes is None:
            classes = max(1, self.num_attributes)
            turns = torch.arange(num_images, device=parameter.device) % classes
            attributes = torch.eye(classes, device=parameter.device)[turns, : self.num_attributes]
        return self.decode(beside(z, attributes))

    def codes(self, posterior: Told) -> Tensor:
        """E[z|x, y] and y, ``[B, D + Y]``."""
        return beside(self.unit_means(posterior), posterior.attributes)

    def unit_means(self, posterior: Told) -> Tensor:
        """As those of ``VAE``."""
        return super().unit_means(posterior.posterior)

    def unit_stds(self, posterior: Told) -> Tensor | None:
        """As those of ``VAE``."""
        return super().unit_stds(posterior.posterior)

    def unit_kl(self, posterior: Told) -> Tensor | None:
        """As those of ``VAE``."""
        return super().unit_kl(posterior.posterior)


def beside(z: Tensor, attributes: Tensor) -> Tensor:
    """Latents ``[..., B, D]`` with the attributes ``[B, Y]`` of each item behind them."""
    return torch.cat((z, attributes.expand(*z.shape[:-1], -1)), -1)
