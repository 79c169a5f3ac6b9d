"""What float data are divided by, so that a model sees numbers of about one; undone in what people see."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Scaling:
    """x becomes (x − shift) / scale, feature by feature.

    Attributes:
        shift: float64 ``[X]``, in the data's own unit.
        scale: float64 ``[X]``, in the data's own unit, above 0.
    """

    shift: np.ndarray
    scale: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Data in their own unit ``[..., X]`` as a model sees them, float64."""
        scaled: np.ndarray = (np.asarray(x, np.float64) - self.shift) / self.scale
        return scaled

    def undo(self, x: np.ndarray) -> np.ndarray:
        """What a model sees, ``[..., X]``, in the data's own unit, float64."""
        restored: np.ndarray = np.asarray(x, np.float64) * self.scale + self.shift
        return restored

    @property
    def log_determinant(self) -> float:
        """What log p(x) is above the log-density of the scaled x: −Σ log scale, in nats."""
        return -float(np.log(self.scale).sum())
