"""The prior over grids of codes: a gated PixelCNN that sees the codes before a code, row by row."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from iwae.config.model.families.pixel_cnn import PixelCNNSize
from iwae.model.masked.pixel_cnn import PixelCNN


class CodePrior(nn.Module):
    """p(z) of a grid of C codes; values unset.

    Args:
        size: as many inputs as numbers that the network is given for a code, C outputs.
    """

    def __init__(self, size: PixelCNNSize) -> None:
        super().__init__()
        # skip_init: the layer's own initialization would draw from torch's global generator.
        self.embedding = nn.utils.skip_init(nn.Embedding, size.outputs, size.inputs)  # type: ignore[no-untyped-call]
        self.pixel_cnn = PixelCNN(size)

    def forward(self, codes: Tensor) -> Tensor:
        """−log p of every code ``[B, H, W]`` given those before it: ``[B, H, W]``, nats."""
        logits = self.pixel_cnn(self.embedding(codes).permute(0, 3, 1, 2))  # [B, C, H, W]
        return cross_entropy(logits, codes, reduction="none")

    @torch.no_grad()
    def sample(self, number: int, grid: tuple[int, int], generator: torch.Generator | None) -> Tensor:
        """Grids drawn place by place, int64 ``[number, H, W]``."""
        drawn: list[Tensor] = []

        def choose(logits: Tensor) -> Tensor:
            uniform = torch.rand(number, 1, generator=generator, device=logits.device)
            below = logits.softmax(-1).cumsum(-1) < uniform  # [N, C]
            drawn.append(below.sum(-1).clamp_max(logits.shape[-1] - 1))
            embedded: Tensor = self.embedding(drawn[-1])
            return embedded

        self.pixel_cnn.draw((number, *grid), None, choose)
        return torch.stack(drawn, 1).view(number, *grid)
