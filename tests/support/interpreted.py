"""What the Triton kernels compute, in Triton's interpreter on the CPU, against float64; prints JSON.

Run in a process of its own with TRITON_INTERPRET=1: the interpreter is chosen when a kernel is defined.
"""

import json

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from iwae.model.likelihood import fused_cuda

# K, B, H, X: less than a tile, one number past it, several tiles each way.
SHAPES = [(1, 1, 1, 1), (3, 22, 33, 65), (5, 13, 40, 130)]
MODELS = 3


def exact(hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """By the definition, in float64."""
    logits = linear(hidden, weight, bias)
    return (x * logits - softplus(logits)).sum(-1)


def differences(shape: tuple[int, int, int, int], models: int) -> list[float]:
    """Relative errors of log-likelihood and gradients of hidden, weight and bias; under vmap of several."""
    samples, images, width, pixels = shape
    source = torch.Generator().manual_seed(sum(shape) + models)

    def normal(*size: int) -> Tensor:
        return torch.randn(models, *size, generator=source, dtype=torch.float64)

    inputs = [normal(samples, images, width), 3 * normal(pixels, width), normal(pixels)]
    x = (torch.rand(models, images, pixels, generator=source) < 0.3).double()
    upstream = normal(samples, images)
    found = []
    for layer, dtype in ((fused_cuda.fused_bernoulli_layer, torch.float32), (exact, torch.float64)):
        arguments = [tensor.to(dtype).requires_grad_() for tensor in inputs]
        if models == 1:
            log_p = layer(*(tensor[0] for tensor in (*arguments, x.to(dtype))))[None]
        else:
            log_p = torch.func.vmap(layer)(*arguments, x.to(dtype))
        gradients = torch.autograd.grad(log_p, arguments, upstream.to(dtype))
        found.append([tensor.detach().double() for tensor in (log_p, *gradients)])
    return [float((a - b).norm() / b.norm()) for a, b in zip(*found, strict=True)]


def main() -> None:
    cases = {str(shape): differences(shape, 1) for shape in SHAPES}
    cases["several models"] = differences(SHAPES[1], MODELS)
    fused_cuda.GRADIENT_BYTES = 4 * 130 * 50  # 50 of 65 rows at a time
    cases["in parts"] = differences(SHAPES[2], 1)
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
