"""Likelihoods of what a decoder gives."""

from torch import Tensor, nn

from iwae.model.likelihood import Likelihood
from iwae.model.networks.build import last_dense


def decoded_log_prob(decoder: nn.Module, likelihood: Likelihood, z: Tensor, x: Tensor) -> Tensor:
    """Log p(x|z) of items ``[B, X]`` or ``[K, B, X]`` at the decoder's input ``[K, B, D]``: ``[K, B]``."""
    dense = last_dense(decoder)
    if dense is None:
        return likelihood.log_prob(decoder(z), x)
    hidden, last = dense
    for layer in hidden:
        z = layer(z)  # [K, B, D] -> [K, B, H]
    return likelihood.log_prob_of_layer(z, last.weight, last.bias, x)
