"""The arrays that a trial left to be drawn, made ready: classes, residuals, planes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracking.report.charts.palette import HUES, SYMBOLS

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]
MOST_POINTS, MOST_FEATURES = 500, 20
# Symbols that are told apart at the size of a point.
_SHAPES = SYMBOLS[:4]


class Cloud(NamedTuple):
    """Points that belong together: their name (empty for all), ``[N, 2]``, colour and symbol."""

    name: str
    points: Floats
    colour: str
    symbol: str


def clouds(arrays: Arrays) -> list[Cloud]:
    """The latent map's points, a cloud for each class that has any; nothing where there is no map."""
    if "latent_map" not in arrays:
        return []
    points = np.asarray(arrays["latent_map"], np.float64)
    if "classes" not in arrays:
        return [Cloud("", points[:MOST_POINTS], HUES[0], SYMBOLS[0])]
    points, classes = points[:MOST_POINTS], arrays["classes"][:MOST_POINTS]
    names = [str(name) for name in arrays["class_names"]]
    return [
        Cloud(
            name,
            points[classes == index],
            HUES[index % len(HUES)],
            _SHAPES[index // len(HUES) % len(_SHAPES)],
        )
        for index, name in enumerate(names)
        if (classes == index).any()
    ]


def middle(cloud: Cloud) -> tuple[float, float]:
    """Where a cloud's name stands: its median in either direction."""
    x, y = np.median(cloud.points, axis=0).tolist()
    return x, y


def standardized(arrays: Arrays) -> tuple[Floats, Floats]:
    """Test items and reconstructions ``[N, F]``, both in standard deviations of the items from their mean."""
    truth, made = np.asarray(arrays["reconstructed"], np.float64)
    spread = truth.std(0)
    spread[spread == 0] = 1.0
    return (truth - truth.mean(0)) / spread, (made - truth.mean(0)) / spread


def residuals(arrays: Arrays) -> list[tuple[str, float]]:
    """Features with their root mean squared residual in standard deviations of the items, the worst first."""
    truth, made = standardized(arrays)
    size = np.sqrt(np.square(made - truth).mean(0)).tolist()
    names = [str(name) for name in arrays["feature_names"]]
    return sorted(zip(names, size, strict=True), key=lambda pair: -pair[1])[:MOST_FEATURES]


def plane(arrays: Arrays) -> tuple[Floats, Floats, Sequence[str]]:
    """Test items and draws from the model ``[N, 2]``, and what the two axes are.

    Two features as they are; of more the two principal components of the standardized items.
    """
    truth, drawn = np.asarray(arrays["reconstructed"][0], np.float64), np.asarray(arrays["drawn"], np.float64)
    names = [str(name) for name in arrays["feature_names"]]
    if truth.shape[1] == 2:
        return truth, drawn, names
    spread = truth.std(0)
    spread[spread == 0] = 1.0
    centred, placed = (truth - truth.mean(0)) / spread, (drawn - truth.mean(0)) / spread
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return centred @ axes, placed @ axes, ("first principal component", "second principal component")
