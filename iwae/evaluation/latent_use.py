"""Whether a model uses its code: KL, mutual information, and what another item's code costs the decoder."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae.data.items import Items
from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI
from iwae.model.protocol import Encoding, LatentModel
from iwae.randomness import generator

# The mutual information is a mean over pairs of items, and at most the log of their number: 6.2 nats.
ITEMS = 500
DRAWS = 4
# Numbers in memory at a time while codes are compared with every item's q.
PAIRS_AT_ONCE = 2**22


@dataclass(frozen=True)
class LatentUse:
    """What a code holds and what the decoder makes of it, means over items, in nats.

    Attributes:
        kl: KL(q(z|x) ‖ p(z)), the rate.
        mutual_information: of x and z under q(z|x), by the aggregate posterior of these items (Hoffman and
            Johnson 2016, eq. 2); at most the log of their number. None where q(z|x) is no factorized
            Gaussian, or the model is told attributes.
        decoder_use: log p(x|z) − log p(x|z'), with z of the item itself and z' of another: 0 where the
            decoder ignores the code.
        decoder_use_stderr: standard error of that mean over items.
    """

    kl: float
    mutual_information: float | None
    decoder_use: float
    decoder_use_stderr: float

    def metrics(self, prefix: str) -> dict[str, float]:
        """By MLflow's names."""
        found = {
            f"{prefix}/kl": self.kl,
            f"{prefix}/mutual_information": self.mutual_information,
            f"{prefix}/decoder_use": self.decoder_use,
            f"{prefix}/decoder_use_stderr": self.decoder_use_stderr,
        }
        return {name: value for name, value in found.items() if value is not None}


@torch.no_grad()
def latent_use(model: LatentModel, items: Items, purpose: str = "latent use") -> LatentUse:
    """Measures it on the first ``ITEMS`` of ``items``.

    Args:
        model: its device is where it runs.
        items: at least 2.
        purpose: names the noise.
    """
    shown = items[:ITEMS]
    x = shown.inputs()
    posterior = model.encode(x)
    noise = _noise(model, len(x), DRAWS, purpose, x.device)
    other = model.encode(x[_partners(shown)])
    own = model.log_densities(x, DRAWS, noise=noise, posterior=posterior)
    swapped = model.log_densities(x, DRAWS, noise=noise, posterior=other)
    gained = (own.log_p_x_given_z - swapped.log_p_x_given_z).double().mean(0)  # [K, B] -> [B]
    return LatentUse(
        kl=float(own.kl.double().sum(-1).mean()),
        mutual_information=mutual_information(model, x, posterior, purpose),
        decoder_use=float(gained.mean()),
        decoder_use_stderr=float(gained.std()) / math.sqrt(len(gained)),
    )


@torch.no_grad()
def mutual_information(
    model: LatentModel, x: Tensor, posterior: Encoding | None = None, purpose: str = "latent use"
) -> float | None:
    """Of x and z under q(z|x), from the aggregate posterior of these items; see ``LatentUse``.

    mean_i,k log q(z_ik|x_i) − log (1/N Σ_j q(z_ik|x_j)), z_ik ~ q(z|x_i), K = ``DRAWS``.

    Args:
        model: on the device of ``x``.
        x: items, ``[N, X]``.
        posterior: ``model.encode(x)`` where the caller has it.
        purpose: names the noise.
    """
    encoding = model.encode(x) if posterior is None else posterior
    stds = model.unit_stds(encoding)
    if stds is None or model.config.conditional or not model.config.gaussian_posterior:
        return None
    means = model.unit_means(encoding)
    source = generator(0, f"{purpose}/codes")
    noise = torch.randn(DRAWS, *means.shape, generator=source).to(means)
    z = (means + stds * noise).flatten(0, 1)  # [K, N, D] -> [K N, D]
    own = _log_normal(z.view(DRAWS, *means.shape), means, stds).flatten()  # [K N]
    size = max(1, PAIRS_AT_ONCE // means.numel())
    aggregate = torch.cat(
        [_log_normal(part[:, None], means, stds).double().logsumexp(1) for part in torch.split(z, size)]
    )
    return float((own.double() - aggregate).mean()) + math.log(len(means))


def _log_normal(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log N(z; mean, std²), summed over the last dimension."""
    return -(0.5 * ((z - mean) / std).square() + std.log() + HALF_LOG_TWO_PI).sum(-1)


def _noise(model: LatentModel, number: int, samples: int, purpose: str, device: torch.device) -> Tensor:
    """Drawn on the CPU, so that every device measures the same."""
    return torch.randn(model.noise_shape(samples, number), generator=generator(0, purpose)).to(device)


def _partners(items: Items) -> Tensor:
    """For each item another one, of the same attributes where there are any, ``[B]``."""
    number = len(items)
    if items.attributes is None or items.attributes.shape[1] == 0:
        return torch.arange(number, device=items.device).roll(1)
    partners = torch.arange(number, device=items.device)
    _, kinds = torch.unique(items.attributes, dim=0, return_inverse=True)
    for kind in kinds.unique():
        members = (kinds == kind).nonzero().flatten()
        partners[members] = members.roll(1)
    return partners
