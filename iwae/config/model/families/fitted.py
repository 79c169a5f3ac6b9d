"""PCAConfig and MixtureConfig: what is fitted in closed form or by EM, on continuous data."""

from typing import ClassVar, Literal

from pydantic import Field

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.limits import Width
from iwae.config.model.part import Evidence, ModelPart
from iwae.config.model.sizes import Floats, Flops
from iwae.config.objective import ObjectivePart
from iwae.config.part import PartError
from iwae.errors import ConfigError


class FittedPart(ModelPart):
    """A model of continuous data that no gradient trains: what is said of the optimizer has no effect."""

    likelihood: Literal["gaussian"] = "gaussian"

    @property
    def fitted(self) -> bool:
        """An epoch is one iteration on all training items."""
        return True

    @property
    def packs(self) -> bool:
        """There is no step to share."""
        return False

    @property
    def most_samples(self) -> int | None:
        """Nothing is drawn."""
        return 1

    def check_run(self, data: DataConfig, objective: ObjectivePart) -> None:
        """Refuses binary pixels, and what only a training by gradients has."""
        if data.binarization != "none":
            raise PartError("data.binarization", data.binarization, f"none when model.name is {self.name}")
        if data.dequantization != "none":
            why = f"none when model.name is {self.name}: its fit draws no noise"
            raise PartError("data.dequantization", data.dequantization, why)
        super().check_run(data, objective)


class PCAConfig(FittedPart):
    """Principal component analysis (scikit-learn's), done in the first epoch.

    Attributes:
        name: ``pca``.
        latent_dim: D, the components kept.
        probabilistic: whether it is the probabilistic PCA of Tipping & Bishop (1999), which has an exact
            likelihood and samples; else it is compared by its reconstruction error.
    """

    built_by: ClassVar[str] = "iwae.model.families.pca:PCA"

    name: Literal["pca"]
    latent_dim: Width = 20
    probabilistic: bool = False

    @property
    def closed_form(self) -> bool:
        """There is nothing to repeat."""
        return True

    def check_layout(self, layout: Layout) -> None:
        """Refuses more components than an item has numbers, or as many where noise must be left."""
        num_pixels = layout.num_pixels
        if self.probabilistic and self.latent_dim >= num_pixels:
            raise ConfigError(
                "model.latent_dim",
                f"{self.latent_dim} is not allowed: must be < {num_pixels}, the numbers of an item, with"
                " probabilistic: true, which needs variance outside of the components",
            )
        if self.latent_dim > num_pixels:
            raise ConfigError(
                "model.latent_dim",
                f"{self.latent_dim} is not allowed: must be <= {num_pixels}, the numbers of an item",
            )

    @property
    def title(self) -> str:
        """Two models under one name."""
        return "probabilistic pca" if self.probabilistic else self.name

    @property
    def evidence(self) -> Evidence:
        """Log p(x) is that of a Gaussian; without ``probabilistic`` there is none."""
        return "exact" if self.probabilistic else "none"

    @property
    def generates(self) -> bool:
        """Only the probabilistic one has a prior."""
        return self.probabilistic

    def flops(self, layout: Layout) -> Flops:
        """A projection and its way back."""
        each = 2.0 * layout.num_pixels * self.latent_dim
        return Flops(each, each)

    def floats(self, layout: Layout) -> Floats:
        """Mean, components and variances, and an item at twice the width of a float32."""
        num_pixels, size = layout.num_pixels, self.latent_dim
        return Floats(2 * (num_pixels + size * num_pixels + size + 1), 2 * num_pixels, 2 * size, 0)


class MixtureConfig(FittedPart):
    """A mixture of Gaussians (scikit-learn's EM): an exact likelihood. An epoch is one iteration.

    Attributes:
        name: ``mixture``.
        num_components: M.
        covariance: of the components: ``full``, ``tied`` (one for all), ``diag``, or ``spherical``.
        min_variance: added to every variance in each iteration, in the unit that the model sees.
    """

    built_by: ClassVar[str] = "iwae.model.families.mixture:Mixture"

    name: Literal["mixture"]
    num_components: Width = 10
    covariance: Literal["full", "tied", "diag", "spherical"] = "full"
    min_variance: float = Field(default=1e-6, ge=0, le=1e12)

    @property
    def latent_dim(self) -> int:
        """The numbers of a code: M responsibilities."""
        return self.num_components

    @property
    def size_label(self) -> str:
        """Its number of components."""
        return f"M={self.num_components}"

    @property
    def evidence(self) -> Evidence:
        """Log p(x) is a sum over components."""
        return "exact"

    def flops(self, layout: Layout) -> Flops:
        """The density of every component at an item, and the mean of theirs."""
        num_pixels, number = layout.num_pixels, self.num_components
        dense = num_pixels if self.covariance in ("full", "tied") else 1
        return Flops(2.0 * number * num_pixels * dense, 2.0 * number * num_pixels)

    def floats(self, layout: Layout) -> Floats:
        """Weights, means and scales, and an item at every component, at twice the width of a float32."""
        num_pixels, number = layout.num_pixels, self.num_components
        scales = {
            "full": number * num_pixels**2,
            "tied": num_pixels**2,
            "diag": number * num_pixels,
            "spherical": number,
        }
        held = number + number * num_pixels + scales[self.covariance]
        return Floats(2 * held, 2 * number * num_pixels, 2 * number, 0)
