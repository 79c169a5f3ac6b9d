"""Bounds on log p(x): pure functions of log-weights ``[K, B]``, in nats.

The log-weight of sample k is log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x).
"""

import math

import torch
from torch import Tensor

from iwae.model.densities import LogDensities

Weight = float | Tensor


def log_weights(terms: LogDensities, beta: Weight = 1.0, entropy_weight: Weight = 1.0) -> Tensor:
    """Log p(x|z) + β (log p(z) − λ log q(z|x)), ``[K, B]``; the log-weight itself at β = λ = 1.

    Args:
        terms: densities, each ``[K, B]``.
        beta: β of β annealing, which scales prior and posterior together.
        entropy_weight: λ of entropy annealing, which scales only log q (Cremer et al. 2018).
    """
    return terms.log_p_x_given_z + beta * (terms.log_p_z - entropy_weight * terms.log_q_z_given_x)


def elbo(log_w: Tensor) -> Tensor:
    """The average of the logs, ``[K, B]`` -> ``[B]`` (Burda et al. 2016, eq. 3)."""
    return log_w.mean(0)


def iwae_bound(log_w: Tensor) -> Tensor:
    """L_K, the log of the average, ``[K, B]`` -> ``[B]`` (Burda et al. 2016, eq. 8).

    Its gradient is Σ_k w̃_k ∇ log w_k with w̃ = softmax_k(log w), eq. 14.
    """
    if log_w.shape[0] == 1:
        return log_w[0]  # the same bits and the same gradient, without the kernels
    return torch.logsumexp(log_w, 0) - math.log(log_w.shape[0])


def analytic_elbo(terms: LogDensities, beta: Weight = 1.0, free_bits: float = 0.0) -> Tensor:
    """mean_k log p(x|z_k) − β Σ_d KL_d with the KL in closed form, ``[B]``.

    Args:
        terms: densities with ``kl``, ``[B, D]``.
        beta: β, the weight of the KL.
        free_bits: λ, nats: Σ_d max(λ, batch-mean KL_d) instead of the KL of each image (Kingma et al. 2016).
    """
    kl = terms.kl.sum(-1)
    if free_bits > 0:
        kl = terms.kl.mean(0).clamp_min(free_bits).sum(-1)
    return terms.log_p_x_given_z.mean(0) - beta * kl
