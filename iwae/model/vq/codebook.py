"""The codes of a VQ-VAE: a vector becomes the nearest of them (van den Oord et al. 2017).

A code is trained by the mean of the vectors that it stands for, over past minibatches (``ema``, appendix A.1
there), or by its gradient.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

# Kept from the shares of a code before, at each step: about the last hundred minibatches count.
DECAY = 0.99
# Below it a share is lost in rounding, and its code stays where it is.
LEAST_SHARE = 1e-20


class Codebook(nn.Module):
    """C codes of E numbers each; values unset.

    Args:
        num_codes: C.
        code_dim: E.
        kind: how the codes are trained.
        revive_below: a code is dead when its share of the vectors is below this part of an even share.

    Attributes:
        codes: ``[C, E]``.
        share: of the vectors that each code stood for, a moving average, ``[C]``.
        steps: updates so far.
        mean: ``share`` times the mean of these vectors, a moving average, ``[C, E]``; of ``ema`` only.
    """

    share: Tensor
    mean: Tensor
    steps: Tensor

    def __init__(
        self, num_codes: int, code_dim: int, kind: Literal["ema", "gradient"], revive_below: float
    ) -> None:
        super().__init__()
        self._kind, self._least_share = kind, revive_below / num_codes
        codes = torch.empty(num_codes, code_dim)
        if kind == "gradient":
            self.codes: Tensor = nn.Parameter(codes)
        else:
            self.register_buffer("codes", codes)
            self.register_buffer("mean", torch.empty(num_codes, code_dim))
        self.register_buffer("share", torch.empty(num_codes))
        self.register_buffer("steps", torch.zeros(()))

    @torch.no_grad()
    def start(self, vectors: Tensor, generator: torch.Generator) -> None:
        """The first codes: some of ``vectors`` ``[N, E]``, far from one another (k-means++); on the CPU."""
        distance = torch.full_like(vectors[:, 0], torch.inf)
        for code in self.codes:
            code.copy_(vectors[_drawn(distance, 1, generator)[0]])
            to_code = (vectors - code).square().sum(-1)
            distance = torch.minimum(distance, to_code)
        self.share.fill_(1 / len(self.codes))
        if self._kind == "ema":
            self.mean.copy_(self.codes / len(self.codes))

    def nearest(self, vectors: Tensor) -> Tensor:
        """Index of the nearest code, int64 ``[...]``, of vectors ``[..., E]``; of equals the first."""
        with torch.no_grad():
            products = vectors @ self.codes.T  # [..., C]
            return (self.codes.square().sum(-1) - 2 * products).argmin(-1)

    def quantize(self, vectors: Tensor, indices: Tensor) -> Tensor:
        """The codes at ``indices``, whose gradient goes straight through to ``vectors`` ``[..., E]``."""
        quantized: Tensor = _StraightThrough.apply(vectors, self.codes.detach()[indices])
        return quantized

    def losses(self, vectors: Tensor, indices: Tensor, commitment: float) -> Tensor:
        """The paper's β ‖z − sg e‖² and, of ``gradient``, ‖sg z − e‖²: ``[...]``.

        Args:
            vectors: z, ``[..., E]``.
            indices: of their codes e, ``[...]``.
            commitment: β of the paper.
        """
        loss = commitment * (vectors - self.codes.detach()[indices]).square().sum(-1)
        if self._kind == "gradient":
            loss = loss + (vectors.detach() - self.codes[indices]).square().sum(-1)
        return loss

    @torch.no_grad()
    def update(self, vectors: Tensor, source: torch.Generator) -> None:
        """After a step: the moving averages, the codes of ``ema``, and dead codes anew.

        A dead code becomes one of the vectors, sooner one that is far from its code, and has an even share
        again. Reads nothing from the device.

        Args:
            vectors: of the minibatch, ``[N, E]``.
            source: on their device; as many numbers are drawn from it whatever is dead.
        """
        number = len(self.codes)
        indices = self.nearest(vectors)
        every = torch.arange(number, device=indices.device)
        chosen = (indices[:, None] == every).to(vectors.dtype)  # [N, C]; one_hot reads the indices on a CPU
        distance = (vectors - self.codes[indices]).square().sum(-1)
        anew = vectors[_drawn(distance, number, source)]
        # Of the averages a plain mean at first, so that codes keep pace with an encoder that learns fast.
        self.steps += 1
        part = (1 - DECAY) / (1 - DECAY**self.steps)
        self.share.lerp_(chosen.mean(0), part)
        dead = (self.share < self._least_share)[:, None]
        self.share.masked_fill_(dead[:, 0], 1 / number)
        if self._kind == "gradient":
            self.codes.copy_(torch.where(dead, anew, self.codes))
            return
        self.mean.lerp_(chosen.T @ vectors / len(vectors), part)
        self.mean.copy_(torch.where(dead, anew / number, self.mean))
        share = self.share[:, None]
        self.codes.copy_(torch.where(share > LEAST_SHARE, self.mean / share, self.codes))


def _drawn(weight: Tensor, number: int, source: torch.Generator) -> Tensor:
    """Indices drawn in proportion to ``weight`` ``[N]``, int64 ``[number]``; none twice where N is enough."""
    noise = torch.rand(weight.shape, generator=source, device=weight.device, dtype=weight.dtype)
    # The smallest of exponential times at these rates, and the next ones.
    order = (-torch.log1p(-noise) / weight).argsort(stable=True)
    return order[torch.arange(number, device=weight.device) % len(order)]


class _StraightThrough(torch.autograd.Function):
    """The second tensor, to the bit, with its gradient given to the first."""

    @staticmethod
    def forward(vectors: Tensor, codes: Tensor) -> Tensor:
        return codes.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def perplexity(indices: Tensor, num_codes: int) -> float:
    """How many codes are in use: exp of the entropy of their shares, between 1 and ``num_codes``.

    Args:
        indices: of codes, any shape.
        num_codes: C.
    """
    share = torch.bincount(indices.flatten(), minlength=num_codes).double() / indices.numel()
    return float(torch.exp(torch.special.entr(share).sum()))
