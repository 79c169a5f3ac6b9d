"""VQ-VAE: an encoder to a grid of codes, a decoder, and a prior over grids (van den Oord et al. 2017).

The codes of an item are one term of p(x) = Σ p(x|z) p(z), so log p(x|z) + log p(z) at them is a lower bound
on log p(x), whatever the prior is.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.config.model.families.vq_vae import VQVAEConfig
from iwae.model.densities import LogDensities
from iwae.model.likelihood import build_likelihood, pixel_statistics
from iwae.model.masked.layers import initialize_uniform
from iwae.model.protocol import LatentModel
from iwae.model.vq.codebook import Codebook, perplexity
from iwae.model.vq.networks import decoder_network, encoder_network
from iwae.model.vq.prior import CodePrior

# Training items among whose vectors the first codes are, and items of a pass for the perplexity.
ITEMS_FOR_CODES = ITEMS_AT_ONCE = 500


class Codes(NamedTuple):
    """What the encoder makes of items.

    Attributes:
        vectors: ``[B, P, E]`` at P places.
        indices: of the nearest codes, int64 ``[B, P]``.
    """

    vectors: Tensor
    indices: Tensor


class VQVAE(LatentModel):
    """See the module; its configuration says the rest."""

    def __init__(
        self,
        config: VQVAEConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: VQVAEConfig = config
        self.grid = config.grid(layout)
        self.encoder = encoder_network(config, layout)
        self.codebook = Codebook(config.num_codes, config.latent_dim, config.codebook, config.revive_below)
        self.decoder = decoder_network(config, layout)
        self.output_bias = nn.Parameter(torch.empty(config.numbers_per_pixel * layout.num_pixels))
        self.likelihood = build_likelihood(config, layout.num_pixels)
        self.prior = CodePrior(config.prior_size(layout))
        if generator is not None:
            self._start(generator, train_pixels)

    def _start(self, generator: torch.Generator, train_pixels: Tensor | None) -> None:
        for module in (self.encoder, self.decoder, self.prior):
            initialize_uniform(module, generator, he=module is not self.prior)
        statistics = None if train_pixels is None else pixel_statistics(train_pixels)
        with torch.no_grad():
            self.likelihood.start(self.output_bias, "train_mean" if statistics else "zero", statistics)
        if train_pixels is None:
            vectors = torch.randn(self.config.num_codes, self.config.latent_dim, generator=generator)
        else:
            picked = torch.randint(len(train_pixels), (ITEMS_FOR_CODES,), generator=generator)
            items = train_pixels.index_select(0, picked.to(train_pixels.device)).cpu()
            x = items.float() / 255 if items.dtype == torch.uint8 else items
            with torch.no_grad():
                vectors = self.encoder(x).flatten(0, 1)
        self.codebook.start(vectors, generator)

    def encode(self, x: Tensor) -> Codes:
        """The codes of items ``[B, X]``."""
        vectors = self.encoder(x)
        return Codes(vectors, self.codebook.nearest(vectors))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) ``[..., X]`` at the codes nearest to ``z`` ``[..., P E]``."""
        vectors = z.reshape(-1, *self.code_shape)  # [N, P, E]
        codes = self.codebook.codes[self.codebook.nearest(vectors)]
        return self.likelihood.mean(self._output(codes)).view(*z.shape[:-1], self.num_pixels)

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """Nothing is drawn: ``(K, B, 0)``."""
        return num_samples, num_images, 0

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Codes | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """At the items' codes, K times the same: log q is 0. The codebook's losses are ``auxiliary``."""
        code = self.encode(x) if posterior is None else posterior
        log_p_x = self.likelihood.log_prob(self._output(self.codebook.quantize(*code))[None], x)  # [1, B]
        rate = self._rate(code.indices)
        log_p_z = -rate.sum(-1).expand(num_samples, -1)
        return LogDensities(
            log_p_x_given_z=log_p_x.expand(num_samples, -1),
            log_p_z=log_p_z,
            log_q_z_given_x=torch.zeros_like(log_p_z),
            kl=rate,
            auxiliary=-self.codebook.losses(*code, self.config.commitment).sum(-1),
        )

    def log_prior(self, indices: Tensor) -> Tensor:
        """Log p(z) of codes ``[B, P]``: ``[B]``, nats."""
        return -self._rate(indices).sum(-1)

    @torch.no_grad()
    def after_step(self, x: Tensor, source: torch.Generator) -> None:
        """Updates the codebook with the minibatch's vectors; see ``Codebook.update``."""
        self.codebook.update(self.encoder(x).flatten(0, 1), source)

    @torch.no_grad()
    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at codes drawn from the prior place by place, ``[num_images, X]``."""
        indices = self.prior.sample(num_images, self.grid, generator)
        return self.likelihood.mean(self._output(self.codebook.codes[indices.flatten(1)]))

    def unit_means(self, posterior: Codes) -> Tensor:
        """The numbers of all codes, ``[B, P E]``."""
        return self.codebook.codes[posterior.indices].flatten(-2)

    def unit_kl(self, posterior: Codes) -> Tensor:
        """Nats that the prior takes for the code of each place, given those before it: ``[B, P]``."""
        return self._rate(posterior.indices)

    @torch.no_grad()
    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """How many codes are in use."""
        indices = torch.cat([self.encode(part).indices for part in torch.split(x, ITEMS_AT_ONCE)])
        return {"val/perplexity": perplexity(indices, self.config.num_codes)}

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The two networks; prior and codebook are in neither group."""
        decoder = [*self.decoder.parameters(), self.output_bias]
        return {"encoder": list(self.encoder.parameters()), "decoder": decoder}

    @property
    def widest(self) -> int:
        """Of the networks' layers and the prior's, as they count for an image."""
        return self.config.widest(self.layout)

    @property
    def code_shape(self) -> tuple[int, int]:
        """P places and E numbers."""
        return self.grid[0] * self.grid[1], self.config.latent_dim

    def _output(self, codes: Tensor) -> Tensor:
        """What the likelihood is told, ``[B, n X]``, by codes ``[B, P, E]``."""
        output: Tensor = self.decoder(codes) + self.output_bias
        return output

    def _rate(self, indices: Tensor) -> Tensor:
        """−log p of every code given those before it, ``[B, P]``, nats."""
        rate: Tensor = self.prior(indices.view(-1, *self.grid))
        return rate.flatten(1)
