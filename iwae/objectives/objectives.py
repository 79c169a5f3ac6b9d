"""What is maximized: pure functions of log-weights ``[K, B]``, in nats.

The log-weight of sample k is log w_k = log p(x|z_k) + log p(z_k) − log q(z_k|x).
"""

from torch import Tensor

from iwae.config.objective import ObjectiveConfig
from iwae.model.densities import LogDensities
from iwae.objectives.bounds import Weight, analytic_elbo, elbo, iwae_bound, log_weights


def objective(
    config: ObjectiveConfig, terms: LogDensities, beta: Weight = 1.0, entropy_weight: Weight = 1.0
) -> Tensor:
    """What training maximizes for each image, ``[B]``. A bound on log p(x) only at β = λ = 1, free bits 0."""
    if config.name == "vae":
        return analytic_elbo(terms, beta, config.free_bits)
    combine = iwae_bound if config.name == "iwae" else elbo
    return combine(log_weights(terms, beta, entropy_weight))


def bound(config: ObjectiveConfig, terms: LogDensities) -> Tensor:
    """The bound on log p(x) that the objective is at weight 1, ``[B]``: what is reported."""
    if config.name == "vae":
        return analytic_elbo(terms)
    return (iwae_bound if config.name == "iwae" else elbo)(log_weights(terms))
