"""Parameters of many models of one shape, with their gradients and Adam's moments, in one place."""

import itertools

import torch
from torch import Tensor, nn

from iwae.trainer.adam import Adam

# Every tensor starts at a multiple of so many floats: a matrix product's last bits may depend on where in
# memory its factors are.
ALIGNMENT = 16


class PackMemory:
    """A row of each kind for each slot; a slot's tensors lie one after another in its row.

    Args:
        model: any of the shape.
        slots: N.

    Attributes:
        parameters: of all slots by name, ``[N, ...]``, leaves of the graph.
        gradients: of all slots, ``[N, P]``.
    """

    def __init__(self, model: nn.Module, slots: int) -> None:
        named = dict(model.named_parameters())
        device = next(iter(named.values())).device
        sizes = [-(-p.numel() // ALIGNMENT) * ALIGNMENT for p in named.values()]
        self._shapes = [p.shape for p in named.values()]
        self._offsets = list(itertools.accumulate(sizes, initial=0))[:-1]
        values, self.gradients, first, second = (
            torch.zeros(slots, sum(sizes), device=device) for _ in range(4)
        )
        self._rows = (values, self.gradients, first, second)
        self._by_slot = [[rows[slot] for rows in self._rows] for slot in range(slots)]
        self._steps = [torch.zeros((), device=device) for _ in range(slots)]
        views = self._views(values)
        self.parameters = {
            name: view.detach().requires_grad_() for name, view in zip(named, views, strict=True)
        }
        self._gradient_views = self._views(self.gradients)
        self._state_views = [
            [view for rows in (values, first, second) for view in self._views(rows[slot])]
            for slot in range(slots)
        ]

    def _views(self, rows: Tensor) -> list[Tensor]:
        """The tensors of rows ``[..., P]``."""
        return [
            rows[..., offset : offset + shape.numel()].view((*rows.shape[:-1], *shape))
            for offset, shape in zip(self._offsets, self._shapes, strict=True)
        ]

    def clear(self) -> None:
        """Zeros in all slots."""
        for rows in self._rows:
            rows.zero_()

    @torch.no_grad()
    def load(self, slot: int, optimizer: Adam) -> None:
        """Copies a model's parameters and its optimizer's state into a slot."""
        torch._foreach_copy_(self._state_views[slot], _tensors(optimizer))
        self._steps[slot].copy_(optimizer.states()[0]["step"])

    @torch.no_grad()
    def store(self, slot: int, optimizer: Adam) -> None:
        """Copies them back."""
        torch._foreach_copy_(_tensors(optimizer), self._state_views[slot])
        for state in optimizer.states():
            state["step"].copy_(self._steps[slot])

    def set_gradients(self, found: dict[str, Tensor]) -> None:
        """Takes the gradients of ``parameters``, by name."""
        torch._foreach_copy_(self._gradient_views, [found[name] for name in self.parameters])

    def clip(self, slot: int, largest: float) -> None:
        """Scales a slot's gradient to at most this norm, as ``torch.nn.utils.clip_grad_norm_``."""
        row = self.gradients[slot]
        row.mul_((largest / (torch.linalg.vector_norm(row) + 1e-6)).clamp_max(1))

    def update(self, slots: list[int], rate: float, beta1: float, beta2: float, eps: float) -> None:
        """One step of Adam (Kingma & Ba 2015) in these slots, at a learning rate."""
        steps = [self._steps[slot] for slot in slots]
        torch._foreach_add_(steps, 1)
        values, gradients, first, second = map(list, zip(*(self._by_slot[s] for s in slots), strict=True))
        torch._fused_adam_(
            values,
            gradients,
            first,
            second,
            [],
            steps,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )


def _tensors(optimizer: Adam) -> list[Tensor]:
    """The parameters, their first and their second moments."""
    states = optimizer.states()
    moments = [state[name] for name in ("exp_avg", "exp_avg_sq") for state in states]
    return [*optimizer.param_groups[0]["params"], *moments]
