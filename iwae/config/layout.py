"""The shape of what a data set's items are: images, in gray or in colour, or flat features."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """What a model and a planner know of an item before they see one.

    Attributes:
        shape: ``(H, W)`` or ``(H, W, C)`` of images, ``(X,)`` of features. An item is flattened in
            this order.
        num_attributes: Y, the numbers that a conditional model is told of each item beside it.
        attributes_are_classes: whether these name the item's class, one of them 1 and the others 0; false:
            they are the file's own numbers.
    """

    shape: tuple[int, ...]
    num_attributes: int = 0
    attributes_are_classes: bool = True

    @property
    def num_pixels(self) -> int:
        """X, the numbers of an item, attributes not counted."""
        return math.prod(self.shape)

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(H, W, C); None for features, which are no image."""
        if len(self.shape) == 1:
            return None
        height, width, channels = (*self.shape, 1)[:3]
        return height, width, channels
