"""What a user gives a trained model, checked as training checks it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.errors import DataError
from iwae.scaling import Scaling

# Sets of bytes; the floats of others may have any range, and so may those of a user's file.
_PIXELS = frozenset(("digits", "mnist", "fashion-mnist", "omniglot"))


@dataclass(frozen=True)
class Inputs:
    """Items as people have them, made into what a model sees.

    Attributes:
        config: what the model was trained by.
        layout: of an item.
        scaling: of the data, where they were scaled; items come in the data's own unit.
    """

    config: TrainConfig
    layout: Layout
    scaling: Scaling | None = None

    @property
    def width(self) -> int:
        """Numbers of an item: X, and Y attributes behind them where the model is conditional."""
        return self.layout.num_pixels + self._num_attributes

    @property
    def _num_attributes(self) -> int:
        return self.layout.num_attributes if self.config.model.conditional else 0

    def checked(self, images: Any, labels: Any = None) -> Tensor:
        """Items as float32 ``[N, X]``, of a conditional model ``[N, X + Y]``.

        Args:
            images: ``[N, X]`` or ``[N, ...]`` in the shape of an item; without ``labels`` a conditional model
                is given ``[N, X + Y]``.
            labels: classes ``[N]`` from 0, or attributes ``[N, Y]``.

        Raises:
            DataError: they are not such as the model was trained on.
        """
        values = _numbers(images)
        told = self._attributes(labels, len(values))
        if told is None and self._num_attributes:
            values = self._flat(values, self.width, images)
            values, told = values[:, : self.layout.num_pixels], values[:, self.layout.num_pixels :]
        else:
            values = self._flat(values, self.layout.num_pixels, images)
        if not np.isfinite(values).all() or not (told is None or np.isfinite(told).all()):
            raise DataError(f"images: NaN or infinity is not allowed: must be {self._expected}")
        self._refuse_other_range(values)
        if self.scaling is not None:
            values = self.scaling.apply(values)
        together = values if told is None else np.concatenate([values, told], axis=1)
        # In rows, whatever order they came in, and none of them −0.0: the same numbers give the same bits.
        return torch.from_numpy(np.array(together, dtype=np.float32, order="C") + np.float32(0))

    def told(self, label: Any, count: int) -> Tensor | None:
        """What a conditional model is told of items that are all told the same; None of classes in turn.

        Args:
            label: one class, or one item's attributes ``[Y]``; None where they are classes.
            count: how many items.

        Returns:
            ``[count, Y]``.

        Raises:
            ValueError: the model is told none, or it is told something else.
        """
        width, name = self._num_attributes, self.config.model.name
        if label is None and (width == 0 or self.layout.attributes_are_classes):
            return None
        if width == 0:
            raise ValueError(f"label: {label} is not allowed: {name} is told no class")
        if not self.layout.attributes_are_classes:
            if np.shape(label) != (width,):
                raise ValueError(f"label: {label} is not allowed: must be the {width} attributes of an item")
            return torch.as_tensor(label, dtype=torch.float32).expand(count, -1)
        if not 0 <= label < width:
            raise ValueError(f"label: {label} is not allowed: must be 0 to {width - 1}")
        return torch.nn.functional.one_hot(torch.full((count,), label), width).float()

    @property
    def _of_pixels(self) -> bool:
        """Whether items are certain to be pixels: a file's floats may have any range."""
        return self.config.measure != "density" or (self.scaling is None and self.config.data.name in _PIXELS)

    @property
    def _expected(self) -> str:
        return "pixels in [0, 1]" if self._of_pixels else "numbers in the unit of the data"

    def _flat(self, values: np.ndarray, width: int, images: Any) -> np.ndarray:
        """``[N, width]``; items may have their own shape, colour also with the channels first."""
        if values.ndim == 4 and len(self.layout.shape) == 3:
            height, depth, channels = self.layout.shape
            if values.shape[1:] == (channels, height, depth) != self.layout.shape:
                values = np.moveaxis(values, 1, 3)
        if values.ndim > 2:
            values = values.reshape(len(values), -1)
        if values.ndim != 2 or values.shape[1] != width:
            raise DataError(f"images: shape {np.shape(images)} is not allowed: must be [N, {width}]")
        return values

    def _attributes(self, labels: Any, count: int) -> np.ndarray | None:
        if labels is None:
            return None
        classes = self._num_attributes
        if not classes:
            raise DataError(f"labels: are not allowed: {self.config.model.name} is told none")
        told, named = np.asarray(labels), self.layout.attributes_are_classes
        integers = told.shape == (count,) and told.dtype.kind in "iu"
        if named and integers and ((told >= 0) & (told < classes)).all():
            one_hot: np.ndarray = np.eye(classes)[told]
            return one_hot
        if told.shape == (count, classes) and told.dtype.kind in "biuf":
            return told.astype(np.float64)
        raise DataError(
            f"labels: shape {told.shape} of {told.dtype} is not allowed: must be"
            + (f" [{count}] classes 0 to {classes - 1}, or" if named else "")
            + f" [{count}, {classes}]"
        )

    def _refuse_other_range(self, values: np.ndarray) -> None:
        if not self._of_pixels or not values.size:
            return
        low, high = values.min(), values.max()
        if low < 0 or high > 1:
            raise DataError(
                f"images: {low:g} to {high:g} is not allowed: must be in [0, 1] (bytes are divided by 255)"
            )
        steps = {"binary": 1, "byte": 255}.get(self.config.measure)
        if steps is None:
            return
        between = np.abs(values * steps - np.round(values * steps)) > 1e-4 * (steps > 1)
        if between.any():
            must = "0 or 1, as the model was trained on binary pixels" if steps == 1 else "bytes / 255"
            raise DataError(f"images: {values[between][0]:g} is not allowed: must be {must}")


def _numbers(images: Any) -> np.ndarray:
    """Any array of numbers as float64."""
    try:
        return np.asarray(images).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"images: must be numbers: {error}") from None
