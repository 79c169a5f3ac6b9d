"""Principal components: the linear baseline, with an exact likelihood where it is probabilistic."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, LowRankMultivariateNormal

from iwae.config.layout import Layout
from iwae.config.model import PCAConfig
from iwae.errors import ConfigError
from iwae.model.families.single_thread import single_thread
from iwae.model.protocol import FittedModel


class PCA(FittedModel):
    """Projection onto the D directions of the largest variance, fitted by scikit-learn.

    Probabilistic, p(z) = N(0, I) and p(x|z) = N(W z + μ, σ² I), so that p(x) = N(μ, W Wᵀ + σ² I) (Tipping &
    Bishop 1999, eq. 7): σ² is the mean of the variances left out, and a column of W a component times
    √(variance − σ²). Variances are of the sample covariance, divided by N − 1 as scikit-learn's.

    A code is the D scores: the coordinates of an item's projection, in the data's unit.

    Args:
        config: of this family.
        layout: of an item.
        generator: of no use: nothing is drawn.
        train_pixels: ``[N, X]`` training items, for a check of D.

    Raises:
        ConfigError: D is more than the items, or their numbers, allow.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor
    noise_variance: Tensor

    def __init__(
        self,
        config: PCAConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: PCAConfig = config
        num_pixels, size = layout.num_pixels, config.latent_dim
        unset = partial(torch.zeros, dtype=torch.float64)
        config.check_layout(layout)
        if train_pixels is not None:
            _refuse_too_many(config, len(train_pixels))
        self.register_buffer("mean", unset(num_pixels))
        self.register_buffer("components", unset(size, num_pixels))
        self.register_buffer("variances", unset(size))
        self.register_buffer("noise_variance", unset(()))

    @property
    def is_fitted(self) -> bool:
        """Whether the components are known: those of a fit have unit length."""
        return bool(self.components.any())

    def warm_up(self) -> None:
        """Loads scikit-learn."""
        with single_thread():
            pass

    def fit_step(self, x: Tensor, source: torch.Generator) -> None:
        """The whole fit the first time; nothing after that."""
        if self.is_fitted:
            return
        from sklearn import decomposition  # takes a second

        items = x.double().cpu().numpy()
        number, num_pixels = items.shape
        size = self.config.latent_dim
        with single_thread():
            found: Any = decomposition.PCA(size, svd_solver="full").fit(items)
        noise_variance = 0.0
        if size < num_pixels:
            # scikit-learn's mean is over the variances that N items can have; the others are 0.
            noise_variance = found.noise_variance_ * (min(number, num_pixels) - size) / (num_pixels - size)
        if self.config.probabilistic and noise_variance <= 0:
            raise ConfigError(
                "model.latent_dim",
                f"{size} is not allowed: must be smaller with probabilistic: true, which needs variance"
                " outside of the components",
            )
        self.mean.copy_(torch.from_numpy(found.mean_))
        self.components.copy_(torch.from_numpy(found.components_))
        self.variances.copy_(torch.from_numpy(found.explained_variance_))
        self.noise_variance.fill_(noise_variance)

    def log_evidence(self, x: Tensor) -> Tensor:
        """Log p(x) of items ``[B, X]``, float64 ``[B]``; of the probabilistic model alone."""
        assert self.config.probabilistic
        weights = self.components.T * self._latent_stds  # [X, D]
        noise = self.noise_variance.expand(self.num_pixels)
        density: Distribution = LowRankMultivariateNormal(self.mean, weights, noise)
        return density.log_prob(x.double())

    def encode(self, x: Tensor) -> Tensor:
        """The scores of items ``[B, X]``, float64 ``[B, D]``."""
        scores: Tensor = (x.double() - self.mean) @ self.components.T
        return scores

    def decode(self, z: Tensor) -> Tensor:
        """The items with the scores ``[..., D]``: float32 ``[..., X]``."""
        items: Tensor = z.double() @ self.components + self.mean
        return items.float()

    def unit_means(self, posterior: Tensor) -> Tensor:
        """The scores, float32 ``[B, D]``."""
        return posterior.float()

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``; of the probabilistic model alone."""
        assert self.config.probabilistic
        shape = (num_images, self.config.latent_dim)
        noise = torch.randn(shape, generator=generator, device=self.mean.device, dtype=torch.float64)
        return self.decode(noise * self._latent_stds)

    @property
    def _latent_stds(self) -> Tensor:
        """Standard deviations of the scores of W z, ``[D]``."""
        return (self.variances - self.noise_variance).clamp_min(0).sqrt()


def _refuse_too_many(config: PCAConfig, number: int) -> None:
    most = number - 1 if config.probabilistic else number
    if config.latent_dim > most:
        raise ConfigError(
            "model.latent_dim",
            f"{config.latent_dim} is not allowed: must be <= {most}, as there are {number} training items",
        )
