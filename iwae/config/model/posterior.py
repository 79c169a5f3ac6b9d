"""PosteriorConfig: what q(z|x) may be, one class a kind."""

import itertools
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from iwae.config.limits import Count, Width
from iwae.config.part import Part, default_name


class GaussianPosterior(Part):
    """A Gaussian with a diagonal covariance.

    Attributes:
        std: ``learned``: σ of every latent and item, by the encoder; a number: the same σ for all, which the
            encoder then only moves.
    """

    analytic_kl: ClassVar[bool] = True

    name: Literal["gaussian"] = "gaussian"
    std: Annotated[float, Field(ge=1e-4, le=1e4)] | Literal["learned"] = "learned"

    def head(self, latent_dim: int) -> int:
        """Numbers that it needs of the encoder's last layer."""
        return 2 * latent_dim if self.std == "learned" else latent_dim

    def blocks_of_head(self, latent_dim: int) -> list[tuple[int, int]]:
        """How many of these numbers belong to layers of how many each: mean and log σ² are one each."""
        return [(self.head(latent_dim), latent_dim)]

    def noise(self, latent_dim: int) -> int:
        """Standard normal numbers of a draw."""
        return latent_dim

    def networks(self, latent_dim: int) -> list[tuple[int, ...]]:
        """None: a draw is a multiplication and an addition."""
        return []


class FlowPosterior(Part):
    """A Gaussian that is bent by Real NVP couplings, each of which is told of x (Cremer et al. 2018).

    Attributes:
        layers: pairs of couplings.
        hidden: widths of the hidden layers of each coupling's network, and of r(v|z)'s.
        auxiliary: true: D auxiliary variables v take part, z and v change each other in turn, and a learned
            r(v|z) takes v out of the bound again; false: the two halves of z change each other.
    """

    analytic_kl: ClassVar[bool] = False

    name: Literal["flow"]
    layers: Annotated[Count, Field(le=100)] = 2
    hidden: Annotated[tuple[Width, ...], Field(strict=False, min_length=1)] = (200,)
    auxiliary: bool = True

    def parts(self, latent_dim: int) -> tuple[int, int]:
        """Widths of the two parts that change each other."""
        return (latent_dim, latent_dim) if self.auxiliary else ((latent_dim + 1) // 2, latent_dim // 2)

    def head(self, latent_dim: int) -> int:
        """Numbers that it needs of the encoder's last layer: mean, log σ² and what every coupling is told."""
        return 2 * latent_dim + 2 * self.layers * self.hidden[0]

    def blocks_of_head(self, latent_dim: int) -> list[tuple[int, int]]:
        """How many of these numbers belong to layers of how many each; what a coupling is told is one."""
        return [(2 * latent_dim, latent_dim), (2 * self.layers * self.hidden[0], self.hidden[0])]

    def noise(self, latent_dim: int) -> int:
        """Standard normal numbers of a draw."""
        return sum(self.parts(latent_dim))

    def networks(self, latent_dim: int) -> list[tuple[int, ...]]:
        """Widths of the networks that run for every sample: of the couplings in their order, and of r."""
        first, second = self.parts(latent_dim)
        pair = [(first, *self.hidden, 2 * second), (second, *self.hidden, 2 * first)]
        reverse = [(first, *self.hidden, 2 * second)] if self.auxiliary else []
        return list(itertools.chain(*[pair] * self.layers)) + reverse


PosteriorConfig = Annotated[
    GaussianPosterior | FlowPosterior, Field(discriminator="name"), default_name("gaussian")
]
