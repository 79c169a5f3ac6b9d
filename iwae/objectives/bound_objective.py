"""A bound on log p(x), maximized by its own gradient through the reparameterized samples.

One surrogate serves encoder and decoder: the objective itself.
"""

import torch
from torch import Tensor

from iwae.config.objective import BoundConfig, SparseBackward
from iwae.model.densities import LogDensities
from iwae.model.protocol import Densities
from iwae.objectives.bounds import Weight, analytic_elbo, elbo, iwae_bound, log_weights
from iwae.objectives.objective import StepTerms, Surrogates, Weights
from iwae.objectives.sparse_backward import sparse_terms


class BoundObjective:
    """The ELBO with the analytic KL, the average of the K logs, or the log of the average."""

    def __init__(self, config: BoundConfig) -> None:
        self._config = config

    def step_terms(
        self,
        model: Densities,
        x: Tensor,
        weights: Weights,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> StepTerms:
        """See ``Objective``. At weight 1 and without free bits the objective is the bound."""
        config = self._config
        if isinstance(config.backward, SparseBackward) and config.num_samples > (config.backward.count or 1):
            surrogate, value, terms = sparse_terms(model, x, config, weights, noise, generator)
        else:
            terms = model.log_densities(x, config.num_samples, noise=noise, generator=generator)
            surrogate = objective(config, terms, *weights)  # [B]
            if terms.auxiliary is not None:
                surrogate = surrogate + terms.auxiliary
            value = surrogate.detach()
        if weights.at_one and config.free_bits == 0 and terms.auxiliary is None:
            reported = value
        else:
            with torch.no_grad():
                reported = bound(config, terms)
        return StepTerms(Surrogates(surrogate, surrogate), value, reported, terms)


def objective(
    config: BoundConfig, terms: LogDensities, beta: Weight = 1.0, entropy_weight: Weight = 1.0
) -> Tensor:
    """What training maximizes for each image, ``[B]``. A bound on log p(x) only at β = λ = 1, free bits 0."""
    if config.name == "vae":
        return analytic_elbo(terms, beta, config.free_bits)
    combine = iwae_bound if config.name == "iwae" else elbo
    return combine(log_weights(terms, beta, entropy_weight))


def bound(config: BoundConfig, terms: LogDensities) -> Tensor:
    """The bound on log p(x) that the objective is at weight 1, ``[B]``: what is reported."""
    if config.name == "vae":
        return analytic_elbo(terms)
    return (iwae_bound if config.name == "iwae" else elbo)(log_weights(terms))
