"""PriorConfig: p(z) of a model with one layer of Gaussian latents."""

from typing import Annotated, Literal

from pydantic import Field

from iwae.config.part import Part, default_name

Components = Annotated[int, Field(ge=1, le=10_000)]


class StandardNormalPrior(Part):
    """N(0, I)."""

    name: Literal["standard-normal"] = "standard-normal"

    @property
    def num_components(self) -> int:
        """None: it is no mixture."""
        return 0


class MixturePrior(Part):
    """A mixture of Gaussians with diagonal covariances, whose weights, means and variances are learned.

    Attributes:
        components: C.
    """

    name: Literal["mixture"]
    components: Components = 10

    @property
    def num_components(self) -> int:
        """C."""
        return self.components


class VampPrior(Part):
    """The mean of the posteriors of learned pseudo-inputs (Tomczak & Welling 2018).

    Attributes:
        pseudo_inputs: C; they start as training items.
    """

    name: Literal["vampprior"]
    pseudo_inputs: Components = 50

    @property
    def num_components(self) -> int:
        """C."""
        return self.pseudo_inputs


PriorConfig = Annotated[
    StandardNormalPrior | MixturePrior | VampPrior,
    Field(discriminator="name"),
    default_name("standard-normal"),
]


def prior_parameters(config: StandardNormalPrior | MixturePrior | VampPrior, units: int, pixels: int) -> int:
    """Parameters of a prior of so many latent units; pseudo-inputs have so many pixels."""
    if isinstance(config, MixturePrior):
        return config.components * (2 * units + 1)
    return config.num_components * pixels
