"""The IWAE gradient from the few samples that hold most of the weight; unbiased."""

import torch
from torch import Tensor

from iwae.config.objective import BoundConfig, SparseBackward
from iwae.model.densities import LogDensities
from iwae.model.protocol import Densities, Encoding
from iwae.objectives.bounds import Weight, iwae_bound, log_weights

# Activations of the samples that are weighed at a time; smaller blocks cost more calls than the cache saves.
BLOCK_BYTES = {"cpu": 2**23, "cuda": 2**30}


def sparse_terms(
    model: Densities,
    x: Tensor,
    config: BoundConfig,
    weights: tuple[Weight, Weight],
    noise: Tensor | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, LogDensities]:
    """One forward pass over all samples without a graph, one over those that are kept with it.

    Args:
        model: gives the densities.
        x: pixels, ``[B, X]``.
        config: K, and which samples are kept.
        weights: β and λ of the annealing.
        noise: of all samples, ``[K, B, ...]``; None draws it.
        generator: where noise is drawn from, and the sample that stands for the rest.

    Returns:
        Surrogate ``[B]``: its gradient is the estimate. Value of the objective ``[B]`` and densities of all K
        samples, both without a graph.
    """
    sparse = config.backward
    assert isinstance(sparse, SparseBackward)
    if noise is None:
        shape = model.noise_shape(config.num_samples, len(x))
        noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
    posterior = model.encode(x)
    with torch.no_grad():
        terms = _all_samples(model, x, noise, posterior)
        log_w = log_weights(terms, *weights)  # [K, B]
        normalized = torch.softmax(log_w, 0)
        uniform = torch.rand(len(x), generator=generator, device=x.device, dtype=log_w.dtype)
        index, coefficients = select(normalized, kept_samples(sparse, normalized), uniform)
        rows = index.reshape(*index.shape, *[1] * (noise.dim() - 2)).expand(-1, -1, *noise.shape[2:])
        kept = noise.gather(0, rows)  # [K, B, ...] -> [M, B, ...]
    densities = model.log_densities(x, len(index), noise=kept, posterior=posterior)
    surrogate = (coefficients * log_weights(densities, *weights)).sum(0)
    return surrogate, iwae_bound(log_w), terms


def _all_samples(model: Densities, x: Tensor, noise: Tensor, posterior: Encoding) -> LogDensities:
    """Densities of all K samples, so many at a time that their activations fit in ``BLOCK_BYTES``."""
    sample_bytes = len(x) * model.widest * noise.element_size()
    size = max(1, BLOCK_BYTES[x.device.type] // sample_bytes)
    parts = [
        model.log_densities(x, len(part), noise=part, posterior=posterior)
        for part in torch.split(noise, size)
    ]
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part[:3] for part in parts), strict=True)
    log_p_x_given_z, log_p_z, log_q_z_given_x = (torch.cat(column) for column in columns)
    return LogDensities(log_p_x_given_z, log_p_z, log_q_z_given_x, parts[0].kl)


def kept_samples(config: SparseBackward, normalized: Tensor) -> int:
    """M of a minibatch with normalized weights ``[K, B]``, at most K."""
    num_samples = len(normalized)
    if config.mass is None:
        return min(num_samples, config.count or num_samples)
    heaviest = normalized.sort(0, descending=True).values.mean(1).cumsum(0)  # [K]
    return min(num_samples, int((heaviest < config.mass).sum()) + 2)


def select(normalized: Tensor, num_kept: int, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """The samples of the backward pass: the M − 1 heaviest, and one drawn from the rest.

    Args:
        normalized: w̃, ``[K, B]``, sums to 1 over K.
        num_kept: M, from 1 to K.
        uniform: in [0, 1), ``[B]``, independent of the weights.

    Returns:
        Indices ``[M, B]`` and coefficients ``[M, B]``, which sum to 1. The expectation over ``uniform`` of
        the coefficient that a sample gets is its w̃.
    """
    heaviest, index = normalized.topk(num_kept - 1, 0)
    rest = normalized.scatter(0, index, 0.0)  # [K, B]
    cumulated = rest.cumsum(0)
    drawn = (cumulated <= uniform * cumulated[-1:]).sum(0, keepdim=True)  # none of weight 0
    # u times the total may round to the total, and the rest may weigh nothing.
    drawn = torch.where(drawn < len(normalized), drawn, rest.argmax(0, keepdim=True))
    return torch.cat((index, drawn)), torch.cat((heaviest, cumulated[-1:]))
