"""From a configuration to its likelihood."""

from iwae.config.model import LikelihoodPart
from iwae.model.likelihood.bernoulli import Bernoulli
from iwae.model.likelihood.discretized_logistic import DiscretizedLogistic
from iwae.model.likelihood.gaussian import Gaussian
from iwae.model.likelihood.likelihood import Likelihood


def build_likelihood(config: LikelihoodPart, num_pixels: int) -> Likelihood:
    """The likelihood of items of ``num_pixels`` pixels; ``start`` sets its parameters."""
    if config.likelihood == "bernoulli":
        return Bernoulli()
    if config.likelihood == "gaussian":
        return Gaussian(num_pixels, config.observation_std)
    return DiscretizedLogistic(config.logistic_scale)
