"""Densities of pixels given what the decoder says, in nats."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
# Probabilities that are multiplied before one logarithm is taken.
MAX_FACTORS = 32
# Logits worked on at a time: on the CPU about what a core's cache holds.
BLOCK_BYTES = {"cpu": 2**20, "cuda": 2**30}


def bernoulli_layer(hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """Log-probability of binary pixels whose logits are a linear layer's output, W h + b.

    Args:
        hidden: h, ``[K, B, H]``.
        weight: W, ``[X, H]``.
        bias: b, ``[X]``.
        x: pixels 0 or 1, ``[B, X]``.

    Returns:
        ``[K, B]``.
    """
    return bernoulli_log_likelihood(linear(hidden, weight, bias), x)


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Σ_i (x_i ℓ_i − softplus(ℓ_i)), the log-probability of binary pixels.

    Args:
        logits: ℓ, ``[K, B, X]``.
        x: pixels 0 or 1, ``[B, X]``.

    Returns:
        ``[K, B]``.
    """
    log_p: Tensor = _BernoulliLogLikelihood.apply(logits, x)
    return log_p


def gaussian_log_likelihood(mean: Tensor, x: Tensor, log_std: Tensor) -> Tensor:
    """Σ_i log N(x_i; mean_i, exp(log_std)²), the full density.

    Args:
        mean: ``[K, B, X]``.
        x: ``[B, X]``.
        log_std: a scalar.

    Returns:
        ``[K, B]``.
    """
    squared = ((x - mean) * torch.exp(-log_std)).square().sum(-1)
    return -0.5 * squared - x.shape[-1] * (log_std + HALF_LOG_TWO_PI)


def _log_likelihood(logits: Tensor, sign: Tensor, scratch: Tensor) -> Tensor:
    """Of a block ``[k, B, X]``, with ``sign`` = 2 x − 1 and a buffer of the block's shape: ``[k, B]``.

    The probability of a pixel is σ(t) with t = ``sign`` ℓ; many are multiplied before one logarithm is taken.
    Where a product leaves the range of the floats, log σ(t) = min(t, 0) + log σ(|t|) keeps it in [2⁻³², 1].
    On CUDA it always does: to ask for the smallest product would wait for the device.
    """
    probabilities = torch.sigmoid(torch.mul(logits, sign, out=scratch), out=scratch)
    products = _products(probabilities)
    if not products.is_cuda and bool(products.amin() >= torch.finfo(products.dtype).tiny):
        return torch.log(products).sum(-1)
    agreement = torch.mul(logits, sign, out=scratch)
    unlikely = agreement.clamp_max(0).sum(-1)
    return unlikely + torch.log(_products(agreement.abs_().sigmoid_())).sum(-1)


def _products(factors: Tensor) -> Tensor:
    """Products of up to ``MAX_FACTORS`` of the last dimension each; overwrites ``factors``."""
    combined = 1
    while factors.shape[-1] > 1 and combined <= MAX_FACTORS // 2:
        half = factors.shape[-1] // 2
        if factors.shape[-1] % 2:
            factors[..., :1].mul_(factors[..., -1:])
        factors = factors[..., :half].mul_(factors[..., half : 2 * half])
        combined *= 2
    return factors.contiguous()  # a logarithm of strided rows takes as long as all the rest


def _blocks(logits: Tensor) -> Iterator[slice]:
    """Slices of the samples, each of about ``BLOCK_BYTES``."""
    sample_bytes = max(1, logits[0].numel() * logits.element_size())
    size = max(1, BLOCK_BYTES[logits.device.type] // sample_bytes)
    return (slice(start, start + size) for start in range(0, logits.shape[0], size))


def _fold(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
    """Several models' batches as one batch, ``[..., B, X]`` and ``[K, B]`` with B = models · images."""
    logits, x, *rest = (
        tensor.unsqueeze(0).expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, in_dims, strict=True)
    )
    return (
        logits.movedim(0, 1).flatten(1, 2),
        x.flatten(0, 1),
        *(gradient.movedim(0, 1).flatten(1, 2) for gradient in rest),
    )


class _BernoulliLogLikelihood(torch.autograd.Function):
    """Block by block, so that no temporary has the size of the logits; vmap makes a larger batch of it."""

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        log_p = logits.new_empty(logits.shape[:2])
        sign = 2 * x - 1
        scratch: Tensor | None = None
        for block in _blocks(logits):
            part = logits[block]
            scratch = torch.empty_like(part) if scratch is None else scratch[: len(part)]
            log_p[block] = _log_likelihood(part, sign, scratch)
        return log_p

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, x = ctx.saved_tensors
        return _BernoulliGradient.apply(logits, x, gradients[0]), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor, x: Tensor) -> tuple[Tensor, int]:
        log_p = _BernoulliLogLikelihood.apply(*_fold(info, in_dims, logits, x))
        return log_p.unflatten(1, (info.batch_size, -1)), 1


class _BernoulliGradient(torch.autograd.Function):
    """(x − σ(ℓ)) times the gradient of the log-probability, ``[K, B, X]``; has no derivative of its own."""

    @staticmethod
    def forward(logits: Tensor, x: Tensor, gradient: Tensor) -> Tensor:
        result = torch.empty_like(logits)
        for block in _blocks(logits):
            part = torch.sigmoid(logits[block], out=result[block])
            torch.sub(x, part, out=part).mul_(gradient[block].unsqueeze(-1))
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        result = _BernoulliGradient.apply(*_fold(info, in_dims, *tensors))
        return result.unflatten(1, (info.batch_size, -1)), 1
