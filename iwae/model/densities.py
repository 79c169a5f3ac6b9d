"""The terms of a log-weight, and Gaussians with a diagonal covariance."""

from typing import NamedTuple

import torch
from torch import Tensor

from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI

# log σ² beyond these is no posterior anyone trains, and its exponential would end in infinity.
MAX_LOG_VARIANCE = 20.0


class LogDensities(NamedTuple):
    """The terms of the log-weight log p(x|z) + log p(z) − log q(z|x), in nats.

    Attributes:
        log_p_x_given_z: ``[K, B]``.
        log_p_z: ``[K, B]``.
        log_q_z_given_x: ``[K, B]``.
        kl: KL(q(z_d|x) ‖ p(z_d)) in closed form, ``[B, D]``; where it has none an estimate from the samples,
            whose sum over d is that of the whole KL.
        auxiliary: added to what is maximized, and no part of a log-weight, ``[B]``; None adds nothing.
    """

    log_p_x_given_z: Tensor
    log_p_z: Tensor
    log_q_z_given_x: Tensor
    kl: Tensor
    auxiliary: Tensor | None = None


class Posterior(NamedTuple):
    """q(z|x), a Gaussian with a diagonal covariance: mean and log σ, each ``[B, D]``.

    Where it depends on draws of another layer it has their dimension too: ``[K, B, D]``.
    """

    mean: Tensor
    log_std: Tensor

    @classmethod
    def of(cls, output: Tensor) -> "Posterior":
        """From what a network gives, means and behind them log-variances: ``[..., 2 D]``."""
        mean, log_variance = output.chunk(2, -1)  # [..., 2 D] -> [..., D] each
        return cls(mean, 0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))

    def detached(self) -> "Posterior":
        """The same without a gradient."""
        return Posterior(self.mean.detach(), self.log_std.detach())

    def draw(self, noise: Tensor) -> Tensor:
        """μ + σ ε for standard normal noise ``[K, B, D]``."""
        return self.mean + torch.exp(self.log_std) * noise

    def unit_log_density(self, z: Tensor) -> Tensor:
        """Log-density of every unit at ``[..., B, D]``."""
        standardized = (z - self.mean) * torch.exp(-self.log_std)
        return -0.5 * standardized.square() - self.log_std - HALF_LOG_TWO_PI

    def kl(self) -> Tensor:
        """½ (μ² + σ² − log σ² − 1) for every image and latent, ``[B, D]``."""
        return 0.5 * (self.mean.square() + torch.exp(2 * self.log_std) - 1) - self.log_std


def log_standard_normal(z: Tensor) -> Tensor:
    """Log-density of N(0, I) at ``[..., D]``: ``[...]``."""
    return -0.5 * z.square().sum(-1) - z.shape[-1] * HALF_LOG_TWO_PI
