"""Affine couplings of two parts of a vector (Dinh et al. 2017, Real NVP, eq. 4 and 5)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iwae.model.layers import dense

# Of the logarithm of one coupling's factors: e² = 7.4 either way, which a few layers multiply.
LARGEST_LOG_SCALE = 2.0


class Couplings(nn.Module):
    """b' = b exp(s(a, c)) + t(a, c) for the second part b, then the same for a given b', and so on.

    With the last layers of its networks zero it changes nothing.

    Args:
        parts: widths of a and of b.
        layers: how often each part is changed.
        hidden: widths of the hidden layers of the networks that give s and t, at least one.
        activation: between them.
    """

    def __init__(
        self,
        parts: tuple[int, int],
        layers: int,
        hidden: tuple[int, ...],
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        first, second = parts
        widths = [(first, *hidden, 2 * second), (second, *hidden, 2 * first)] * layers
        self.networks = nn.ModuleList(dense(dims, activation) for dims in widths)

    def forward(
        self, first: Tensor, second: Tensor, contexts: Tensor, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The two parts after all couplings, or with ``inverse`` before them.

        Args:
            first: a, ``[K, B, A]``.
            second: b, ``[K, B, B']``.
            contexts: c, what each coupling's first hidden layer is told of each item, one behind the other:
                ``[B, couplings · hidden[0]]``.
            inverse: whether they are undone, in the opposite order.

        Returns:
            Both parts, and the log-determinant of the Jacobian of what was done, ``[K, B]``.
        """
        told = contexts.chunk(len(self.networks), -1)
        log_determinant = torch.zeros_like(first[..., 0])
        order = range(len(self.networks))
        for index in reversed(order) if inverse else order:
            given, changed = (first, second) if index % 2 == 0 else (second, first)
            log_scale, shift = self._log_scale_and_shift(index, given, told[index])
            if inverse:
                changed = (changed - shift) * torch.exp(-log_scale)
                log_determinant = log_determinant - log_scale.sum(-1)
            else:
                changed = changed * torch.exp(log_scale) + shift
                log_determinant = log_determinant + log_scale.sum(-1)
            first, second = (first, changed) if index % 2 == 0 else (changed, second)
        return first, second, log_determinant

    def _log_scale_and_shift(self, index: int, given: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        network = self.networks[index]
        assert isinstance(network, nn.Sequential)
        first, *rest = network
        output: Tensor = first(given) + context  # [K, B, H] and [B, H]
        for layer in rest:
            output = layer(output)
        raw, shift = output.chunk(2, -1)
        return LARGEST_LOG_SCALE * torch.tanh(raw / LARGEST_LOG_SCALE), shift
