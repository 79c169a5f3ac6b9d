"""MADE: dense layers whose output for x_i sees the x before it only (Germain et al. 2015)."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from iwae.model.masked.layers import MaskedLinear


def window(num_features: int, receptive_field: int | None) -> Tensor:
    """What x_i may depend on, bool ``[X, X]``: row i is true at the ``receptive_field`` features before i.

    Args:
        num_features: X.
        receptive_field: 0 is nothing; None everything before.
    """
    position = torch.arange(num_features)
    distance = position[:, None] - position
    most = num_features if receptive_field is None else receptive_field
    return (distance > 0) & (distance <= most)


class Made(nn.Module):
    """What the features before it and a context say of every feature.

    A hidden unit belongs to a feature and sees what that feature may depend on; units are spread evenly over
    the features. Two units are connected where the later one sees all that the earlier one sees. The context
    reaches every hidden unit; outputs are connected with the features directly too (§4.2 of the paper).

    Args:
        num_features: X.
        hidden_dims: widths of the hidden layers.
        context_dim: width of the context.
        numbers: n, outputs for a feature.
        receptive_field: features before a feature that it depends on; None is all of them.
        activation: between the layers.
    """

    def __init__(
        self,
        num_features: int,
        hidden_dims: tuple[int, ...],
        context_dim: int,
        numbers: int,
        receptive_field: int | None,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        field = window(num_features, receptive_field)
        hidden = [field[torch.arange(width) * num_features // width] for width in hidden_dims]
        outputs = field.repeat(numbers, 1)  # [n X, X]: the first numbers of all features, then the second
        seen = [torch.eye(num_features, dtype=torch.bool), *hidden]
        self.layers = nn.ModuleList(
            MaskedLinear(_subset(before, after)) for before, after in itertools.pairwise((*seen, outputs))
        )
        self.direct = MaskedLinear(outputs, bias=False)
        self.contexts = nn.ModuleList(_plain(context_dim, width) for width in hidden_dims)
        self.activation = activation()

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """All first numbers of the features, then all second ones: ``[..., n X]``.

        Args:
            x: ``[..., X]``; broadcast against the context.
            context: ``[..., context_dim]``.
        """
        hidden = x
        *layers, last = self.layers
        for layer, of_context in zip(layers, self.contexts, strict=True):
            hidden = self.activation(layer(hidden) + of_context(context))
        output: Tensor = last(hidden) + self.direct(x)
        return output

    @torch.no_grad()
    def draw(self, context: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Features one after the other, ``[N, X]``.

        Args:
            context: ``[N, context_dim]``.
            choose: a value ``[N]`` of a feature from its numbers ``[N, n]``.
        """
        numbers = len(self.direct.mask) // self.direct.mask.shape[1]
        x = context.new_zeros(len(context), self.direct.mask.shape[1])
        for feature in range(x.shape[1]):
            output = self(x, context).unflatten(-1, (numbers, -1))  # [N, n, X]
            x[:, feature] = choose(output[..., feature])
        return x


def _subset(before: Tensor, after: Tensor) -> Tensor:
    """Whether a unit sees all that a unit before it sees, ``[after, before]``.

    Args:
        before: what the units of a layer see, bool ``[before, X]``.
        after: of the next layer, ``[after, X]``.
    """
    missed = (~after).float() @ before.float().T
    return missed == 0


def _plain(inputs: int, outputs: int) -> nn.Module:
    # The bias is the masked layer's; skip_init: the layer's own would draw from torch's global generator.
    plain: nn.Module = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=False)  # type: ignore[no-untyped-call]
    return plain
