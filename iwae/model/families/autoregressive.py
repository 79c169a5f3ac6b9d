"""A VAE whose decoder also sees the pixels before a pixel: p(x|z) = Π_i p(x_i | x before i, z).

After PixelVAE (Gulrajani et al. 2017) and the variational lossy autoencoder (Chen et al. 2017).
"""

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.config.model.families.autoregressive import AutoregressiveConfig
from iwae.model.masked.decoders import MaskedFeatures, MaskedImage
from iwae.model.masked.layers import initialize_uniform
from iwae.model.vae import VAE

# Items of which ``decode`` takes the mean for one z, and the seed of their uniform numbers.
DRAWS, SEED = 8, 0


class Autoregressive(VAE):
    """See the module; its configuration says the rest."""

    config: AutoregressiveConfig

    def __init__(
        self,
        config: AutoregressiveConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout, generator=generator, train_pixels=train_pixels)
        build = MaskedFeatures if layout.image_shape is None else MaskedImage
        self.masked: MaskedFeatures | MaskedImage = build(config, layout)
        if generator is not None:
            initialize_uniform(self.masked, generator)

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) at latents ``[..., D]``: ``[..., X]``.

        It has no closed form: estimated from ``DRAWS`` items drawn pixel by pixel, of which the mean of every
        pixel given those before it is averaged. All z have the same uniform numbers, so that what comes out
        depends on z only.
        """
        latents = z.reshape(-1, z.shape[-1])
        source = torch.Generator().manual_seed(SEED)
        uniform = torch.rand((DRAWS, self.num_pixels), generator=source, dtype=torch.float64).to(z)
        _, told = self._draw(
            latents.repeat(DRAWS, 1), uniform.repeat_interleave(len(latents), 0)
        )  # [DRAWS N, n X]
        mean = self.likelihood.mean(told).view(DRAWS, len(latents), -1).mean(0)
        return mean.view(*z.shape[:-1], -1)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Draws from p(x), pixel by pixel: z from the prior, x from p(x|z); ``[num_images, X]``."""
        device = next(self.parameters()).device
        z = self.prior.sample(num_images, self.encode, generator, device)
        return self._draw(z, torch.rand((num_images, self.num_pixels), generator=generator, device=device))[0]

    @torch.no_grad()
    def _draw(self, z: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Items drawn at latents ``[N, D]``, ``[N, X]``, and what the likelihood was told, ``[N, n X]``.

        Args:
            z: latents.
            uniform: of (0, 1), ``[N, X]``: x_i is at this quantile of p(x_i | x before i, z).
        """
        draft = self.decoder(z)
        output = torch.zeros_like(draft)
        told = output.view(len(z), -1, self.num_pixels)  # [N, n, X]

        def choose(pixel: int, numbers: Tensor) -> Tensor:
            told[:, :, pixel] = numbers
            return self.likelihood.quantile(output, uniform)[:, pixel]

        return self.masked.draw(draft, choose), output

    def _log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        return self.likelihood.log_prob(self.masked(x, self.decoder(z)), x)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """A VAE's, the masked network with the decoder."""
        groups = super().groups()
        return groups | {"decoder": [*groups["decoder"], *self.masked.parameters()]}

    @property
    def widest(self) -> int:
        """Units of the widest layer, that of the masked network counted for all pixels."""
        return max(super().widest, self.masked.widest)
