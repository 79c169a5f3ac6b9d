"""Items of a split, as they lie on the device: their values, and what a conditional model is told of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iwae.data.pixels import intensities


@dataclass(frozen=True, eq=False)
class Items:
    """N items of X numbers.

    Attributes:
        values: ``[N, X]``: bytes, or float32 as a model sees them.
        attributes: float32 ``[N, Y]``; None where the model is told nothing.
    """

    values: Tensor
    attributes: Tensor | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.values)

    def __getitem__(self, which: slice) -> "Items":
        """Some of the items."""
        return Items(self.values[which], None if self.attributes is None else self.attributes[which])

    def at(self, indices: Tensor) -> "Items":
        """The items at ``indices`` ``[B]``."""
        attributes = None if self.attributes is None else self.attributes.index_select(0, indices)
        return Items(self.values.index_select(0, indices), attributes)

    @property
    def holds_floats(self) -> bool:
        """Whether the values are floats, and not bytes."""
        return self.values.is_floating_point()

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return self.values.device

    def inputs(self) -> Tensor:
        """What a model sees, float32 ``[N, X + Y]``: values, bytes as [0, 1], and behind them attributes."""
        return self.beside(intensities(self.values))

    def beside(self, x: Tensor) -> Tensor:
        """The attributes behind other values ``[N, X]`` of these items: ``[N, X + Y]``."""
        return x if self.attributes is None else torch.cat((x, self.attributes), -1)
