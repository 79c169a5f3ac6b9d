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
def initialize_uniform(module: nn.Module, generator: torch.Generator, *, he: bool = False) -> None:
    """Sets weights and biases of every layer in ``module``.

    Args:
        module: of linear layers and convolutions, masked or not.
        generator: on the CPU.
        he: weights uniform in ±√(6/fan-in) and biases 0, so that ReLU layers pass on the spread that they are
            given (He et al. 2015). Else both are uniform in ±1/√fan-in, PyTorch's own default.
    """
    for layer in module.modules():
        weight = layer._parameters.get("weight")
        if weight is None:
            continue
        fan_in = weight[0].numel()
        if isinstance(layer, nn.ConvTranspose2d):  # [in, out, h, w], and strides of s leave 1 in s² uses
            fan_in = weight[:, 0].numel() // math.prod(layer.stride)
        limit = math.sqrt((6 if he else 1) / fan_in)
        weight.uniform_(-limit, limit, generator=generator)
        bias = layer._parameters.get("bias")
        if bias is not None and he:
            bias.zero_()
        elif bias is not None:
            bias.uniform_(-limit, limit, generator=generator)
