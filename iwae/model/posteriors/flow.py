"""q(z|x), a Gaussian bent by couplings, with auxiliary variables or without (Cremer et al. 2018).

Without them the two halves of z change each other, and log q(z|x) is exact. With them, v₀ ~ N(0, I) and
z₀ ~ N(μ(x), σ(x)²) change each other, and log q(z|x) is replaced by log q(z, v|x) − log r(v|z), whose
expectation is not smaller: the bound stays one on log p(x), and is tight in v where r is q's own reverse
(Cremer et al. 2018, §3.2; r(v|z) as in the authors' code, without x).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from iwae.config.model import FlowPosterior
from iwae.model.densities import Posterior, log_standard_normal
from iwae.model.layers import Init, dense, initialize_layer
from iwae.model.posteriors.couplings import Couplings
from iwae.randomness import generator

# Draws over which a mean of z is taken, in pairs of opposite sign: exact where the flow is affine.
PAIRS_FOR_MEANS = 16


class Bent(NamedTuple):
    """What is known of q(z|x) before a draw.

    Attributes:
        base: the Gaussian of z₀.
        contexts: what each coupling is told of x, ``[B, couplings · H]``.
    """

    base: Posterior
    contexts: Tensor


class Flow(nn.Module):
    """A Gaussian and the couplings that its draws go through.

    Args:
        config: layers and widths.
        latent_dim: D.
        activation: of the networks.
    """

    noise_of_means: Tensor

    def __init__(self, config: FlowPosterior, latent_dim: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.config, self._latent_dim = config, latent_dim
        self.couplings = Couplings(config.parts(latent_dim), config.layers, config.hidden, activation)
        if config.auxiliary:
            self.reverse = dense((latent_dim, *config.hidden, 2 * latent_dim), activation)
        half = torch.randn(
            PAIRS_FOR_MEANS, config.noise(latent_dim), generator=generator(0, "posterior means")
        )
        # The same for every item, so that what is no more than noise in a mean does not vary over items.
        self.register_buffer("noise_of_means", torch.cat((half, -half)), persistent=False)

    def encode(self, head: Tensor) -> Bent:
        """From mean, log σ² and contexts, ``[B, 2 D + couplings · H]``."""
        base = 2 * self._latent_dim
        return Bent(Posterior.of(head[..., :base]), head[..., base:])

    def draw(self, q: Bent, noise: Tensor, stop_posterior: bool = False) -> tuple[Tensor, Tensor]:
        """z, and log q(z|x) or what stands for it, log q(z, v|x) − log r(v|z).

        Args:
            q: of ``encode``.
            noise: of z₀ and behind it v₀, ``[K, B, D]`` or ``[K, B, 2 D]``.
            stop_posterior: no gradient reaches the parameters of q through its density, only through z and
                v; r, which is no part of q, keeps its own.

        Returns:
            ``[K, B, D]`` and ``[K, B]``, nats.
        """
        start = q.base.draw(noise[..., : self._latent_dim])
        first, second = self._parts(start, noise)
        first, second, log_determinant = self.couplings(first, second, q.contexts)
        if stop_posterior:
            log_q = self._stopped_log_density(first, second, q)
        else:
            log_q = log_standard_normal(noise) - q.base.log_std.sum(-1) - log_determinant
        if self.config.auxiliary:
            return first, log_q - self.log_reverse(second, first)
        return torch.cat((first, second), -1), log_q

    def log_density(self, first: Tensor, second: Tensor, q: Bent) -> Tensor:
        """Log q of (z, v), or of z's halves, by the inverse: ``[K, B, ...]`` each, ``[K, B]``."""
        inverted: tuple[Tensor, Tensor, Tensor] = self.couplings(first, second, q.contexts, inverse=True)
        return self._log_density(inverted, q)

    def _stopped_log_density(self, first: Tensor, second: Tensor, q: Bent) -> Tensor:
        contexts = q.contexts.detach()
        parameters = {name: value.detach() for name, value in self.couplings.named_parameters()}
        found: tuple[Tensor, Tensor, Tensor] = functional_call(
            self.couplings, parameters, (first, second, contexts), {"inverse": True}
        )
        return self._log_density(found, Bent(q.base.detached(), contexts))

    def _log_density(self, inverted: tuple[Tensor, Tensor, Tensor], q: Bent) -> Tensor:
        first, second, log_determinant = inverted
        both = torch.cat((first, second), -1)
        z, v = both[..., : self._latent_dim], both[..., self._latent_dim :]
        noise = torch.cat(((z - q.base.mean) * torch.exp(-q.base.log_std), v), -1)
        return log_standard_normal(noise) - q.base.log_std.sum(-1) + log_determinant

    def log_reverse(self, v: Tensor, z: Tensor) -> Tensor:
        """Log r(v|z), a Gaussian with a diagonal covariance, of ``[K, B, D]`` each: ``[K, B]``."""
        r = Posterior.of(self.reverse(z))
        return log_standard_normal((v - r.mean) * torch.exp(-r.log_std)) - r.log_std.sum(-1)

    @torch.no_grad()
    def initialize(self, init: Init, generator: torch.Generator) -> None:
        """Starts as the Gaussian itself, with r(v|z) = N(0, I): all last layers are zero."""
        networks = [*self.couplings.networks, *([self.reverse] if self.config.auxiliary else [])]
        for network in networks:
            *hidden, last = network
            for layer in hidden:
                initialize_layer(layer, init, generator)
            for parameter in last.parameters():
                parameter.zero_()

    def own_parameters(self) -> list[nn.Parameter]:
        """Of the couplings; r's are no part of q."""
        return list(self.couplings.parameters())

    def means(self, q: Bent) -> Tensor:
        """The mean of z over a few draws that are the same for every item, ``[B, D]``."""
        z, _ = self.draw(q, self.noise_of_means.unsqueeze(1).expand(-1, len(q.contexts), -1))
        return z.mean(0)

    def stds(self, q: Bent) -> None:
        """They have no closed form."""

    def _parts(self, start: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The parts that change each other, before they have: (z₀, v₀), or the halves of z₀."""
        if self.config.auxiliary:
            return start, noise[..., self._latent_dim :]
        first, second = start.split_with_sizes(self.config.parts(self._latent_dim), -1)
        return first, second
