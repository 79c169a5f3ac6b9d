"""q(z|x), a Gaussian with a diagonal covariance."""

import math

import torch
from torch import Tensor, nn

from iwae.config.model import GaussianPosterior
from iwae.model.densities import Posterior
from iwae.model.layers import Init
from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI


class Gaussian(nn.Module):
    """What the encoder's last layer says, as a Gaussian, and draws from it; has no parameters.

    Args:
        config: whether σ is learned.
        latent_dim: D.
    """

    def __init__(self, config: GaussianPosterior, latent_dim: int) -> None:
        super().__init__()
        self._log_std = None if config.std == "learned" else math.log(config.std)

    def encode(self, head: Tensor) -> Posterior:
        """From mean and log σ², ``[B, 2 D]``, or from the mean alone where σ is fixed, ``[B, D]``."""
        if self._log_std is not None:
            return Posterior(head, torch.full_like(head, self._log_std))
        return Posterior.of(head)

    def draw(self, q: Posterior, noise: Tensor, stop_posterior: bool = False) -> tuple[Tensor, Tensor]:
        """Draws z = μ + σ ε, with log q(z|x).

        Args:
            q: of ``encode``.
            noise: ε, ``[K, B, D]``.
            stop_posterior: no gradient reaches q's parameters through its density, only through z.

        Returns:
            ``[K, B, D]`` and ``[K, B]``.
        """
        z = q.mean + torch.exp(q.log_std) * noise  # [B, D] and [K, B, D] -> [K, B, D]
        log_std = q.log_std
        if stop_posterior:
            log_std = log_std.detach()
            noise = (z - q.mean.detach()) * torch.exp(-log_std)
        constant = q.mean.shape[-1] * HALF_LOG_TWO_PI
        return z, -0.5 * noise.square().sum(-1) - log_std.sum(-1) - constant

    def initialize(self, init: Init, generator: torch.Generator) -> None:
        """It has no parameters."""

    def own_parameters(self) -> list[nn.Parameter]:
        """None: all that q has is the encoder's."""
        return []

    def means(self, q: Posterior) -> Tensor:
        """μ, ``[B, D]``."""
        return q.mean

    def stds(self, q: Posterior) -> Tensor:
        """σ, ``[B, D]``."""
        return torch.exp(q.log_std)
