"""Layers whose weights are multiplied with a mask of zeros and ones, and their first values."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear


class MaskedLinear(nn.Module):
    """A linear layer without the connections where ``mask`` is 0; values unset.

    Args:
        mask: ``[outputs, inputs]``.
        bias: whether it has one.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(mask.shape))
        self.bias = nn.Parameter(torch.empty(len(mask))) if bias else None
        self.register_buffer("mask", mask.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` -> ``[..., outputs]``."""
        return linear(x, self.weight * self.mask, self.bias)


class MaskedConv2d(nn.Module):
    """A convolution without the connections where ``mask`` is 0, and without padding; values unset.

    Args:
        mask: ``[outputs, inputs, height, width]``.
        bias: whether it has one.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(mask.shape))
        self.bias = nn.Parameter(torch.empty(len(mask))) if bias else None
        self.register_buffer("mask", mask.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` -> ``[N, outputs, H - height + 1, W - width + 1]``."""
        return conv2d(x, self.weight * self.mask, self.bias)


@torch.no_grad()
def initialize_uniform(module: nn.Module, generator: torch.Generator) -> None:
    """Weights and biases of every layer in ``module`` uniform in ±1/√fan-in, PyTorch's own default.

    Args:
        module: of linear layers and convolutions, masked or not.
        generator: on the CPU.
    """
    for layer in module.modules():
        weight = layer._parameters.get("weight")
        if weight is None:
            continue
        transposed = isinstance(layer, nn.ConvTranspose2d)
        limit = 1 / math.sqrt(weight[:, 0].numel() if transposed else weight[0].numel())
        for parameter in layer.parameters(recurse=False):
            parameter.uniform_(-limit, limit, generator=generator)
