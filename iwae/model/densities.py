"""The terms of a log-weight, and the Gaussian posterior."""

from typing import NamedTuple

import torch
from torch import Tensor


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
    """q(z|x), a Gaussian with a diagonal covariance: mean and log σ, each ``[B, D]``."""

    mean: Tensor
    log_std: Tensor

    def kl(self) -> Tensor:
        """½ (μ² + σ² − log σ² − 1) for every image and latent, ``[B, D]``."""
        return 0.5 * (self.mean.square() + torch.exp(2 * self.log_std) - 1) - self.log_std
