"""What is asked of a distribution that data were drawn from, where it is known."""

from typing import Protocol

import numpy as np


class KnownDensity(Protocol):
    """A distribution that data were drawn from."""

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log p of items ``[N, X]``, in nats: float64 ``[N]``."""
