"""A mixture of Gaussians that is known: data drawn from it have a true log p, which a model's can be held to.

The whole chain (training, the bound at many samples, the report) is compared with it: a bound must lie below
the true mean log p, and a good model's is near it.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from iwae.config.catalogue import CATALOGUE
from iwae.data.dataset import RawSplits
from iwae.randomness import generator


@dataclass(frozen=True)
class Component:
    """One Gaussian of a mixture in the plane.

    Attributes:
        weight: its share.
        mean: its centre.
        spread: standard deviations along its two axes.
        degrees: by which its first axis is turned from the horizontal, counter-clockwise.
    """

    weight: float
    mean: tuple[float, float]
    spread: tuple[float, float]
    degrees: float

    @property
    def factor(self) -> np.ndarray:
        """F of the covariance F Fᵀ, ``[2, 2]``."""
        angle = math.radians(self.degrees)
        turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return turned * self.spread


@dataclass(frozen=True)
class KnownMixture:
    """A mixture of Gaussians in the plane.

    Attributes:
        components: their weights add up to 1.
    """

    components: tuple[Component, ...]

    def draw(self, num_items: int, purpose: str) -> np.ndarray:
        """Items, float32 ``[num_items, 2]``; the same every time for the same ``purpose``."""
        source = generator(0, purpose)
        weights = torch.tensor([one.weight for one in self.components], dtype=torch.float64)
        which = torch.multinomial(weights, num_items, replacement=True, generator=source).numpy()
        noise = torch.randn(num_items, 2, dtype=torch.float64, generator=source).numpy()
        factors = np.stack([one.factor for one in self.components])[which]  # [N, 2, 2]
        means = np.array([one.mean for one in self.components])[which]
        items: np.ndarray = (means + np.einsum("nij,nj->ni", factors, noise)).astype(np.float32)
        return items

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log p of points ``[N, 2]``: float64 ``[N]``, nats."""
        terms = []
        for one in self.components:
            whitened = np.linalg.solve(one.factor, (x.astype(np.float64) - one.mean).T)  # [2, N]
            scale = math.log(one.weight) - math.log(2 * math.pi) - math.log(math.prod(one.spread))
            terms.append(scale - 0.5 * np.square(whitened).sum(0))
        log_p: np.ndarray = np.logaddexp.reduce(terms)
        return log_p


# Three ellipses that overlap, of unlike weight and direction: .30 nats away from the nearest single Gaussian.
MIXTURE_2D = KnownMixture(
    (
        Component(0.40, (-1.2, 0.0), (1.0, 0.40), 60.0),
        Component(0.35, (1.0, 1.0), (0.9, 0.40), -30.0),
        Component(0.25, (0.8, -1.0), (0.8, 0.35), 15.0),
    )
)


def read_mixture() -> RawSplits:
    """Items of ``MIXTURE_2D``: float32 ``[N, 2]``, the same every time."""
    facts = CATALOGUE["mixture-2d"]
    train, test = (MIXTURE_2D.draw(n, s) for n, s in ((facts.num_train, "train"), (facts.num_test, "test")))
    return RawSplits(train, None, test)
