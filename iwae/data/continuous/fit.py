"""Scales of features, from the training items alone, in float64."""

import numpy as np

from iwae.config.data import ScalingKind

# Rows that are float64 at a time.
ROWS = 4096


def shift_and_scale(train: np.ndarray, kind: ScalingKind) -> tuple[np.ndarray, np.ndarray]:
    """What a feature is moved and divided by, float64 ``[X]`` each: scaled = (x − shift) / scale.

    Args:
        train: floats ``[N, X]``, no feature constant.
        kind: ``standardize`` gives mean 0 and standard deviation 1 (of the N items, not of a sample: N in
            the denominator), ``min-max`` the range 0 to 1.
    """
    if kind == "min-max":
        low = train.min(0).astype(np.float64)
        return low, train.max(0).astype(np.float64) - low
    mean = train.mean(0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(train), ROWS):
        deviations = train[start : start + ROWS].astype(np.float64) - mean
        squares += np.square(deviations).sum(0)
    return mean, np.sqrt(squares / len(train))
