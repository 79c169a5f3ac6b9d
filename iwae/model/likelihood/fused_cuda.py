"""The decoder's last layer and the Bernoulli likelihood as one kernel on a CUDA device.

The logits exist in registers only, a tile at a time: the forward pass writes ``[K, B]``. The backward pass
makes them again, and writes their gradient for so many rows as stay in a GPU's cache, for the two products
that need it.

Tiles are fixed. Tuned ones would differ from process to process, and the order of sums with them: a trial
would no longer be reproduced to the bit.
"""

from typing import Any

import torch
import triton
from torch import Tensor

from iwae.model.likelihood.kernels import log_likelihood, logit_gradient

# Rows, pixels and hidden units of a tile, which 8 warps hold in registers; products in float32.
BLOCK_N, BLOCK_X = 64, 64
OPTIONS: dict[str, Any] = {
    "BLOCK_N": BLOCK_N,
    "BLOCK_X": BLOCK_X,
    "BLOCK_H": 32,
    "PRECISION": "ieee",
    "num_warps": 8,
}
# Gradient of the logits in memory at a time: less than the L2 cache of a data centre's GPU.
GRADIENT_BYTES = 32 * 2**20


def fused_bernoulli_layer(hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """``bernoulli_layer`` of float32 tensors; under vmap one kernel for all models.

    Args:
        hidden: ``[K, B, H]``.
        weight: ``[X, H]``.
        bias: ``[X]``.
        x: pixels 0 or 1, ``[B, X]``.

    Returns:
        ``[K, B]``.
    """
    log_p: Tensor = _BernoulliLayer.apply(hidden[None], weight[None], bias[None], x[None])
    return log_p[0]


class _BernoulliLayer(torch.autograd.Function):
    """Of S models: ``[S, K, B, H]``, ``[S, X, H]``, ``[S, X]`` and ``[S, B, X]`` give ``[S, K, B]``."""

    @staticmethod
    def forward(hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        log_p = hidden.new_empty(hidden.shape[:3])
        models, num_pixels, width = weight.shape
        rows = log_p[0].numel()
        log_likelihood[(triton.cdiv(rows, BLOCK_N), models)](
            *(tensor.contiguous() for tensor in (hidden, weight, bias, x)),
            *(log_p, rows, x.shape[1], num_pixels, width),
            **OPTIONS,
        )
        return log_p

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weight, bias, x = (tensor.contiguous() for tensor in ctx.saved_tensors)
        models, num_pixels, width = weight.shape
        flat, upstream = hidden.flatten(1, 2), gradients[0].contiguous()  # [S, K · B, H] and [S, K, B]
        of_hidden, of_weight, of_bias = (torch.zeros_like(tensor) for tensor in (flat, weight, bias))
        num_rows = flat.shape[1]
        size = max(1, GRADIENT_BYTES // (models * num_pixels * flat.element_size()))
        for start in range(0, num_rows, size):
            rows = min(size, num_rows - start)
            part = slice(start, start + rows)
            of_logits = flat.new_empty((models, rows, num_pixels))
            logit_gradient[(triton.cdiv(rows, BLOCK_N), triton.cdiv(num_pixels, BLOCK_X), models)](
                *(flat, weight, bias, x, upstream, of_logits),
                *(start, rows, num_rows, x.shape[1], num_pixels, width),
                **OPTIONS,
            )
            of_hidden[:, part] = of_logits @ weight
            of_weight.baddbmm_(of_logits.mT, flat[:, part])
            of_bias += of_logits.sum(1)
        return of_hidden.view_as(hidden), of_weight, of_bias, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        together = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims, strict=True)
        )
        log_p: Tensor = _BernoulliLayer.apply(*(tensor.flatten(0, 1) for tensor in together))
        return log_p.view(info.batch_size, -1, *log_p.shape[1:]), 0
