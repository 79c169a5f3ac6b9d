"""From a configuration to its posterior."""

from iwae.config.model import FlowPosterior, LatentPart
from iwae.model.layers import ACTIVATIONS
from iwae.model.posteriors.flow import Flow
from iwae.model.posteriors.gaussian import Gaussian


def build_posterior(config: LatentPart) -> Gaussian | Flow:
    """The posterior of ``config``; the values of its parameters are unset."""
    if isinstance(config.posterior, FlowPosterior):
        return Flow(config.posterior, config.latent_dim, ACTIVATIONS[config.activation])
    return Gaussian(config.posterior, config.latent_dim)
