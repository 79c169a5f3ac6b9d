"""x = W z + b + noise of one scale for all pixels; q(z|x) has a mean linear in x and one covariance."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.model.densities import LogDensities
from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI, gaussian_log_likelihood
from iwae.model.protocol import LatentModel


class Correlated(NamedTuple):
    """A Gaussian with the mean ``[B, D]`` and the covariance L Lᵀ, L ``[D, D]`` lower triangular."""

    mean: Tensor
    cholesky: Tensor


class PPCA(LatentModel):
    """The true posterior is one of q's, so that the bound can reach log p(x)."""

    def __init__(
        self,
        config: Any,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config = config
        num_pixels = layout.num_pixels
        latents = config.latent_dim
        self.W = nn.Parameter(torch.empty(num_pixels, latents))
        self.b = nn.Parameter(torch.empty(num_pixels))
        self.log_std = nn.Parameter(torch.tensor(math.log(0.3)))
        self.A = nn.Parameter(torch.empty(latents, num_pixels))
        self.c = nn.Parameter(torch.zeros(latents))
        self.lower = nn.Parameter(torch.zeros(latents, latents))
        self.log_diagonal = nn.Parameter(torch.full((latents,), math.log(0.3)))
        if generator is not None:
            with torch.no_grad():
                self.W.normal_(0, 0.1, generator=generator)
                self.A.normal_(0, 0.1, generator=generator)
                assert train_pixels is not None
                self.b.copy_(train_pixels.cpu().float().mean(0) / 255)

    def encode(self, x: Tensor) -> Correlated:
        """``[B, X]`` -> mean ``[B, D]``."""
        return Correlated(x @ self.A.T + self.c, self.lower.tril(-1) + torch.diag(self.log_diagonal.exp()))

    def decode(self, z: Tensor) -> Tensor:
        """``[..., D]`` -> ``[..., X]``."""
        return z @ self.W.T + self.b

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, D)``."""
        return num_samples, num_images, self.config.latent_dim

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Correlated | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """At z = mean + L ε."""
        q = self.encode(x) if posterior is None else posterior
        if noise is None:
            noise = torch.randn(self.noise_shape(num_samples, len(x)), generator=generator, device=x.device)
        z = q.mean + noise @ q.cholesky.T
        cholesky = q.cholesky
        if stop_posterior:
            cholesky = cholesky.detach()
            centred = (z - q.mean.detach()).unsqueeze(-1)
            noise = torch.linalg.solve_triangular(cholesky, centred, upper=False).squeeze(-1)
        constant = self.config.latent_dim * HALF_LOG_TWO_PI
        return LogDensities(
            log_p_x_given_z=gaussian_log_likelihood(self.decode(z), x, self.log_std),
            log_p_z=-0.5 * z.square().sum(-1) - constant,
            log_q_z_given_x=-0.5 * noise.square().sum(-1) - cholesky.diagonal().log().sum() - constant,
            kl=self.unit_kl(q),
        )

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """``[num_images, X]``."""
        shape = (num_images, self.config.latent_dim)
        return self.decode(torch.randn(shape, generator=generator, device=self.W.device))

    def unit_means(self, posterior: Correlated) -> Tensor:
        """``[B, D]``."""
        return posterior.mean

    def unit_kl(self, posterior: Correlated) -> Tensor:
        """Of the marginals, ``[B, D]``."""
        variance = posterior.cholesky.square().sum(-1)
        return 0.5 * (posterior.mean.square() + variance - variance.log() - 1)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All but the scale of the noise."""
        return {"encoder": [self.A, self.c, self.lower, self.log_diagonal], "decoder": [self.W, self.b]}

    @property
    def widest(self) -> int:
        """X."""
        return self.num_pixels
