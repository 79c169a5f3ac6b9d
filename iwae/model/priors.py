"""p(z): standard normal, a learned mixture, or the posteriors of learned pseudo-inputs."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from iwae.config.model import MixturePrior, PriorConfig, VampPrior
from iwae.model.densities import Posterior
from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI

# ``encode`` of the model that a prior belongs to.
Encoder = Callable[[Tensor], Posterior]
# Of the Gauss–Hermite rule for the KL of a unit.
NODES = 32


class Prior(nn.Module, ABC):
    """The density of latents ``[..., D]``, in nats; asks for the model's encoder, which only some need."""

    @abstractmethod
    def log_prob(self, z: Tensor, encoder: Encoder) -> Tensor:
        """Log p(z), ``[..., D]`` -> ``[...]``."""

    @abstractmethod
    def sample(
        self, num_images: int, encoder: Encoder, generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        """Draws ``[num_images, D]``."""

    @abstractmethod
    def unit_kl(self, posterior: Posterior, encoder: Encoder) -> Tensor:
        """KL(q(z_d|x) ‖ p(z_d)) from the prior's marginal of every unit, ``[B, D]``."""


class StandardNormal(Prior):
    """N(0, I) of ``latent_dim`` units."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self._latent_dim = latent_dim
        self._constant = latent_dim * HALF_LOG_TWO_PI

    def log_prob(self, z: Tensor, encoder: Encoder) -> Tensor:
        """See ``Prior``."""
        return -0.5 * z.square().sum(-1) - self._constant

    def sample(
        self, num_images: int, encoder: Encoder, generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        """See ``Prior``."""
        return torch.randn((num_images, self._latent_dim), generator=generator, device=device)

    def unit_kl(self, posterior: Posterior, encoder: Encoder) -> Tensor:
        """In closed form."""
        return posterior.kl()


class GaussianMixture(Prior, ABC):
    """Σ_c π_c N(z; m_c, diag s_c²): C components of diagonal covariance."""

    @abstractmethod
    def components(self, encoder: Encoder) -> tuple[Tensor, Posterior]:
        """Log π ``[C]``, and the means and log s ``[C, D]``."""

    def log_prob(self, z: Tensor, encoder: Encoder) -> Tensor:
        """See ``Prior``. Computes ``[..., C, D]``: the squared distance expanded would lose digits."""
        log_weight, (mean, log_std) = self.components(encoder)
        distance = (z.unsqueeze(-2) - mean) * torch.exp(-log_std)  # [..., C, D]
        constant = log_weight - log_std.sum(-1) - mean.shape[-1] * HALF_LOG_TWO_PI
        return torch.logsumexp(constant - 0.5 * distance.square().sum(-1), -1)

    def sample(
        self, num_images: int, encoder: Encoder, generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        """See ``Prior``."""
        log_weight, (mean, log_std) = self.components(encoder)
        drawn = torch.multinomial(log_weight.exp(), num_images, replacement=True, generator=generator)
        shape = (num_images, mean.shape[-1])
        noise = torch.randn(shape, generator=generator, device=device, dtype=mean.dtype)
        return mean[drawn] + log_std[drawn].exp() * noise

    def unit_kl(self, posterior: Posterior, encoder: Encoder) -> Tensor:
        """By Gauss–Hermite quadrature over q(z_d|x)."""
        log_weight, (mean, log_std) = self.components(encoder)
        points, weights = np.polynomial.hermite_e.hermegauss(NODES)
        cross = torch.zeros_like(posterior.mean)
        for point, weight in zip(points, weights / weights.sum(), strict=True):
            z = posterior.mean + posterior.log_std.exp() * point  # [B, D]
            distance = (z.unsqueeze(-2) - mean) * torch.exp(-log_std)  # [B, C, D]
            log_p = torch.logsumexp(log_weight.unsqueeze(-1) - log_std - 0.5 * distance.square(), -2)
            cross += weight * log_p
        return cross.neg() - posterior.log_std - 0.5  # both constants are −½ log 2π


class Mixture(GaussianMixture):
    """Weights, means and standard deviations are parameters.

    They start as equal weights of N(m_c, 1) with m_c ~ N(0, 1), so that no two components are the same.

    Args:
        num_components: C.
        latent_dim: D.
        generator: of the means; None leaves all unset, to be loaded.
    """

    def __init__(self, num_components: int, latent_dim: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.mean = nn.Parameter(torch.zeros(num_components, latent_dim))
        self.log_std = nn.Parameter(torch.zeros(num_components, latent_dim))
        if generator is not None:
            nn.init.normal_(self.mean, generator=generator)

    def components(self, encoder: Encoder) -> tuple[Tensor, Posterior]:
        """The parameters."""
        return torch.log_softmax(self.logits, -1), Posterior(self.mean, self.log_std)


class PseudoInputs(GaussianMixture):
    """The VampPrior: equal weights of q(z|u_c) at learned inputs u_c (Tomczak & Welling 2018, eq. 9).

    The inputs start as training items. Nothing keeps them within the items' range.

    Args:
        num_pseudo_inputs: C; of more than there are training items, some start as the same item.
        num_pixels: X.
        generator: of the choice of items; None leaves the inputs unset, to be loaded.
        train_pixels: ``[N, X]``, as the model sees them, or their bytes.
    """

    def __init__(
        self,
        num_pseudo_inputs: int,
        num_pixels: int,
        generator: torch.Generator | None,
        train_pixels: Tensor | None,
    ) -> None:
        super().__init__()
        self.inputs = nn.Parameter(torch.zeros(num_pseudo_inputs, num_pixels))
        if generator is None:
            return
        assert train_pixels is not None, "pseudo-inputs start as training items"
        chosen = torch.randperm(len(train_pixels), generator=generator)[:num_pseudo_inputs]
        chosen = chosen.repeat(-(-num_pseudo_inputs // len(chosen)))[:num_pseudo_inputs]
        items = train_pixels[chosen.to(train_pixels.device)].to("cpu", torch.float32)
        with torch.no_grad():
            self.inputs.copy_(items / 255 if train_pixels.dtype == torch.uint8 else items)

    def components(self, encoder: Encoder) -> tuple[Tensor, Posterior]:
        """One pass through the encoder."""
        posterior = encoder(self.inputs)
        number = len(self.inputs)
        return posterior.mean.new_full((number,), -math.log(number)), posterior


def build_prior(
    config: PriorConfig,
    latent_dim: int,
    num_pixels: int,
    *,
    generator: torch.Generator | None = None,
    train_pixels: Tensor | None = None,
) -> Prior:
    """The prior of ``config``; the generator and the training items are those of the model's start."""
    if isinstance(config, MixturePrior):
        return Mixture(config.components, latent_dim, generator)
    if isinstance(config, VampPrior):
        return PseudoInputs(config.pseudo_inputs, num_pixels, generator, train_pixels)
    return StandardNormal(latent_dim)
