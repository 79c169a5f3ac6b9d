"""A mixture of Gaussians, fitted by EM (scikit-learn): an exact likelihood, no latents."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from iwae.config.layout import Layout
from iwae.config.model import MixtureConfig
from iwae.errors import ConfigError
from iwae.model.families.single_thread import single_thread
from iwae.model.protocol import FittedModel


class Mixture(FittedModel):
    """M Gaussians with weights.

    A code is the M responsibilities p(component|x); its item is their mean of the components' means.

    Args:
        config: of this family.
        layout: of an item.
        generator: of no use: the first iteration begins with k-means, seeded by the run.
        train_pixels: ``[N, X]`` training items, for a check of M.

    Raises:
        ConfigError: there are fewer items than components.
    """

    weights: Tensor
    means: Tensor
    scales: Tensor

    def __init__(
        self,
        config: MixtureConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: MixtureConfig = config
        number, num_pixels = config.num_components, layout.num_pixels
        if train_pixels is not None and len(train_pixels) < number:
            raise ConfigError(
                "model.num_components",
                f"{number} is not allowed: must be <= the training items ({len(train_pixels)})",
            )
        shapes = {
            "full": (number, num_pixels, num_pixels),
            "tied": (num_pixels, num_pixels),
            "diag": (number, num_pixels),
            "spherical": (number,),
        }
        unset = partial(torch.zeros, dtype=torch.float64)
        self.register_buffer("weights", unset(number))
        self.register_buffer("means", unset(number, num_pixels))
        # The lower Cholesky factor of a covariance; of a diagonal one the standard deviations.
        self.register_buffer("scales", unset(shapes[config.covariance]))

    @property
    def is_fitted(self) -> bool:
        """Whether a first iteration was made: weights add up to 1."""
        return bool(self.weights.any())

    def warm_up(self) -> None:
        """Loads scikit-learn."""
        with single_thread():
            pass

    def fit_step(self, x: Tensor, source: torch.Generator) -> None:
        """One iteration of EM on all items; before the first one k-means places the components."""
        from sklearn.exceptions import ConvergenceWarning  # takes a second
        from sklearn.mixture import GaussianMixture

        config = self.config
        seed = int(torch.randint(2**31, (), generator=source))
        estimator: Any = GaussianMixture(
            config.num_components,
            covariance_type=config.covariance,
            reg_covar=config.min_variance,
            max_iter=1,
            random_state=seed,
            **(self._start() if self.is_fitted else {}),
        )
        with single_thread(), warnings.catch_warnings():
            # Of one iteration that is no news.
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                estimator.fit(x.double().cpu().numpy())
            except ValueError as error:
                raise ConfigError("model.min_variance", _why(config.min_variance, error)) from None
        self.weights.copy_(torch.from_numpy(estimator.weights_))
        self.means.copy_(torch.from_numpy(estimator.means_))
        covariances = torch.from_numpy(np.asarray(estimator.covariances_))
        dense = config.covariance in ("full", "tied")
        self.scales.copy_(torch.linalg.cholesky(covariances) if dense else covariances.sqrt())

    def _start(self) -> dict[str, np.ndarray]:
        """What the next iteration begins with: an iteration depends on nothing but the buffers."""
        dense = self.config.covariance in ("full", "tied")
        precisions = torch.cholesky_inverse(self.scales) if dense else self.scales**-2
        return {
            "weights_init": (self.weights / self.weights.sum()).cpu().numpy(),
            "means_init": self.means.cpu().numpy(),
            "precisions_init": precisions.cpu().numpy(),
        }

    def log_evidence(self, x: Tensor) -> Tensor:
        """Log p(x) of items ``[B, X]``, float64 ``[B]``."""
        return self._joint(x).logsumexp(-1)

    def encode(self, x: Tensor) -> Tensor:
        """The responsibilities of items ``[B, X]``, float64 ``[B, M]``."""
        return self._joint(x).softmax(-1)

    def decode(self, z: Tensor) -> Tensor:
        """The components' means, weighted by ``[..., M]``: float32 ``[..., X]``."""
        items: Tensor = z.double() @ self.means
        return items.float()

    def unit_means(self, posterior: Tensor) -> Tensor:
        """The responsibilities, float32 ``[B, M]``."""
        return posterior.float()

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Draws from p(x), float32 ``[num_images, X]``: the noise within a component is the model."""
        which = torch.multinomial(self.weights, num_images, replacement=True, generator=generator)
        shape, device = (num_images, self.num_pixels), self.means.device
        noise = torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
        if self.config.covariance == "full":
            noise = torch.einsum("bij,bj->bi", self.scales[which], noise)
        elif self.config.covariance == "tied":
            noise = noise @ self.scales.T
        else:
            noise = noise * self.scales.reshape(len(self.weights), -1)[which]
        return (self.means[which] + noise).float()

    def _joint(self, x: Tensor) -> Tensor:
        """Log of weight and density of every component at items ``[B, X]``: float64 ``[B, M]``."""
        log_p: Tensor = self._components().log_prob(x.double()[:, None])
        return log_p + self.weights.log()

    def _components(self) -> Distribution:
        if self.config.covariance in ("full", "tied"):
            return MultivariateNormal(self.means, scale_tril=self.scales)
        stds = self.scales.reshape(len(self.weights), -1).expand_as(self.means)
        return Independent(Normal(self.means, stds), 1)


def _why(min_variance: float, error: ValueError) -> str:
    return (
        f"{min_variance:g} is not allowed: must be larger, the covariance of a component is singular"
        f" ({' '.join(str(error).split())[:160]})"
    )
