"""The doubly reparameterized gradient of the IWAE bound (Tucker et al. 2019, eq. 8)."""

from typing import Any

import torch
from torch import Tensor

from iwae.model.protocol import Densities
from iwae.objectives.bounds import iwae_bound, log_weights
from iwae.objectives.objective import StepTerms, Surrogates, Weights


class DReG:
    """Σ w̃² of the path through the samples for the encoder, Σ w̃ for the decoder."""

    def __init__(self, config: Any) -> None:
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
        """Two surrogates, which share a forward pass."""
        terms = model.log_densities(
            x, self._config.num_samples, noise=noise, generator=generator, stop_posterior=True
        )
        log_w = log_weights(terms, *weights)  # [K, B]
        normalized = torch.softmax(log_w, 0).detach()
        surrogates = Surrogates(
            encoder=(normalized.square() * log_w).sum(0), decoder=(normalized * log_w).sum(0)
        )
        with torch.no_grad():
            return StepTerms(surrogates, iwae_bound(log_w), iwae_bound(log_weights(terms)), terms)
