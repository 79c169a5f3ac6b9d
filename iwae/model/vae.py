"""Encoder, decoder, factorized Gaussian posterior and standard normal prior."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.memory import FLOAT_BYTES
from iwae.model.densities import LogDensities, Posterior
from iwae.model.initialization import initialize
from iwae.model.layers import ACTIVATIONS, dense
from iwae.model.likelihood import build_likelihood, pixel_statistics
from iwae.model.likelihood.gaussian import HALF_LOG_TWO_PI
from iwae.model.priors import build_prior
from iwae.model.protocol import LatentModel

# log σ² beyond these is no posterior anyone trains, and its exponential would end in infinity.
MAX_LOG_VARIANCE = 20.0


class VAE(LatentModel):
    """A variational autoencoder with one stochastic layer.

    Args:
        config: layers, likelihood, initialization.
        layout: of an item.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: ``[N, X]`` training pixels in [0, 1] or their bytes; needed by ``output_bias:
            train_mean`` and by a learned observation σ, which starts at their spread around their mean.
    """

    def __init__(
        self,
        config: VAEConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: VAEConfig = config
        num_pixels = layout.num_pixels
        activation = ACTIVATIONS[config.activation]
        self.encoder = dense((num_pixels, *config.hidden_dims, 2 * config.latent_dim), activation)
        outputs = config.numbers_per_pixel * num_pixels
        self.decoder = dense((config.latent_dim, *config.decoder_widths, outputs), activation)
        self.likelihood = build_likelihood(config, num_pixels)
        if generator is not None:
            statistics = None if train_pixels is None else pixel_statistics(train_pixels)
            initialize(self.encoder, self.decoder, self.likelihood, config, generator, statistics)
        self.prior = build_prior(
            config.prior, config.latent_dim, num_pixels, generator=generator, train_pixels=train_pixels
        )
        self.register_load_state_dict_pre_hook(_rename)  # type: ignore[no-untyped-call]

    def encode(self, x: Tensor) -> Posterior:
        """q(z|x) of pixels ``[B, X]``."""
        mean, log_variance = self.encoder(x).chunk(2, -1)  # [B, 2 D] -> [B, D] each
        return Posterior(mean, 0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) for latents ``[..., D]``: probabilities (Bernoulli) or intensities, ``[..., X]``."""
        return self.likelihood.mean(self.decoder(z))

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, D)``."""
        return num_samples, num_images, self.config.latent_dim

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Posterior | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """Densities at draws z = μ + σ ε, ``[K, B]``. The encoder runs once, whatever K is."""
        q = self.encode(x) if posterior is None else posterior
        if noise is None:
            shape = (num_samples, *q.mean.shape)
            noise = torch.randn(shape, generator=generator, device=x.device, dtype=q.mean.dtype)
        assert noise.shape[0] == num_samples
        z = q.mean + torch.exp(q.log_std) * noise  # [B, D] and [K, B, D] -> [K, B, D]
        constant = q.mean.shape[-1] * HALF_LOG_TWO_PI
        log_std = q.log_std
        if stop_posterior:
            log_std = log_std.detach()
            noise = (z - q.mean.detach()) * torch.exp(-log_std)
        log_p_z = self.prior.log_prob(z, self.encode)
        log_q = -0.5 * noise.square().sum(-1) - log_std.sum(-1) - constant
        return LogDensities(
            log_p_x_given_z=self.log_likelihood(z, x),
            log_p_z=log_p_z,
            log_q_z_given_x=log_q,
            kl=q.kl() if self.config.analytic_kl else (log_q - log_p_z).mean(0).unsqueeze(-1),
        )

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) of pixels ``[B, X]`` or ``[K, B, X]`` at latents ``[K, B, D]``: ``[K, B]``, in nats."""
        samples = self._samples_at_once(x.shape[-2])
        if len(z) <= samples or not torch.is_grad_enabled():
            return self._log_likelihood(z, x)
        latents = torch.split(z, samples)
        pixels = [x] * len(latents) if x.dim() == 2 else torch.split(x, samples)
        parts = [
            checkpoint(self._log_likelihood, *part, use_reentrant=False, preserve_rng_state=False)
            for part in zip(latents, pixels, strict=True)
        ]
        return torch.cat(parts)

    def _samples_at_once(self, num_images: int) -> int:
        """Samples of so many images whose activations fit in ``activation_bytes``; at least one."""
        sample_bytes = FLOAT_BYTES * self.config.floats(self.layout).sample
        return max(1, self.activation_bytes // (num_images * sample_bytes))

    def _log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        *hidden, last = self.decoder
        assert isinstance(last, nn.Linear)
        for layer in hidden:
            z = layer(z)  # [K, B, D] -> [K, B, H]
        return self.likelihood.log_prob_of_layer(z, last.weight, last.bias, x)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``."""
        device = next(self.parameters()).device
        return self.decode(self.prior.sample(num_images, self.encode, generator, device))

    def unit_means(self, posterior: Posterior) -> Tensor:
        """μ, ``[B, D]``."""
        return posterior.mean

    def unit_stds(self, posterior: Posterior) -> Tensor:
        """σ, ``[B, D]``."""
        return torch.exp(posterior.log_std)

    def unit_kl(self, posterior: Posterior) -> Tensor:
        """From the prior's marginal of every unit, ``[B, D]``; in closed form where that is a normal."""
        return self.prior.unit_kl(posterior, self.encode)

    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """``model/observation_std`` of a Gaussian likelihood."""
        return self.likelihood.metrics()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The layers' weights and biases; what likelihood and prior have of their own is in neither group."""
        return {"encoder": list(self.encoder.parameters()), "decoder": list(self.decoder.parameters())}

    @property
    def widest(self) -> int:
        """The largest of the last layer's and the hidden widths, and of the prior's distances."""
        config = self.config
        last = config.numbers_per_pixel * self.num_pixels
        distances = config.prior.num_components * config.latent_dim
        return max((last, distances, *config.hidden_dims, *config.decoder_widths))


def _rename(module: nn.Module, state: dict[str, Any], prefix: str, *others: object) -> None:
    """Until 2.60 a Gaussian's log σ was a parameter of the model itself."""
    before = f"{prefix}observation_log_std"
    if before in state:
        state[f"{prefix}likelihood.log_std"] = state.pop(before)
