"""Encoder, decoder, a posterior and a prior of one layer of latents."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iwae.config.layout import Layout
from iwae.config.model import AutoregressiveConfig, ConditionalConfig, LatentPart, VAEConfig
from iwae.memory import FLOAT_BYTES
from iwae.model.densities import LogDensities, Posterior
from iwae.model.initialization import initialize
from iwae.model.likelihood import build_likelihood, pixel_statistics
from iwae.model.networks import decoded_log_prob, decoder_network, encoder_network
from iwae.model.posteriors import build_posterior
from iwae.model.priors import build_prior
from iwae.model.protocol import Encoding, LatentModel


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
        config: VAEConfig | ConditionalConfig | AutoregressiveConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: VAEConfig | ConditionalConfig | AutoregressiveConfig = config
        num_pixels = layout.num_pixels
        self.encoder = encoder_network(config, layout, config.posterior.head(config.latent_dim))
        self.decoder = decoder_network(config, layout, config.latent_dim, config.numbers_per_pixel)
        self.likelihood = build_likelihood(config, num_pixels)
        self.posterior = build_posterior(config)
        if generator is not None:
            statistics = None if train_pixels is None else pixel_statistics(train_pixels)
            blocks = config.posterior.blocks_of_head(config.latent_dim)
            initialize(self.encoder, self.decoder, self.likelihood, config, generator, statistics, blocks)
            self.posterior.initialize(config.init, generator)
        self.prior = build_prior(
            config.prior, config.latent_dim, num_pixels, generator=generator, train_pixels=train_pixels
        )
        self._widest = _widest(config, layout)
        self._sample_bytes = FLOAT_BYTES * config.floats(layout).sample
        self.register_load_state_dict_pre_hook(_rename)  # type: ignore[no-untyped-call]

    def encode(self, x: Tensor) -> Encoding:
        """q(z|x) of pixels ``[B, X]``."""
        return self.posterior.encode(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) for latents ``[..., D]``: probabilities (Bernoulli) or intensities, ``[..., X]``."""
        return self.likelihood.mean(self.decoder(z))

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, D)``, or ``(K, B, 2 D)`` with auxiliary variables."""
        return num_samples, num_images, self.config.posterior.noise(self.config.latent_dim)

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Encoding | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """Densities at draws from q(z|x), ``[K, B]``. The encoder runs once, whatever K is."""
        q = self.encode(x) if posterior is None else posterior
        if noise is None:
            shape = self.noise_shape(num_samples, x.shape[-2])
            noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
        assert noise.shape[0] == num_samples
        z, log_q = self.posterior.draw(q, noise, stop_posterior)
        log_p_z = self.prior.log_prob(z, self.encode)
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
        return max(1, self.activation_bytes // (num_images * self._sample_bytes))

    def _log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        return decoded_log_prob(self.decoder, self.likelihood, z, x)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``."""
        device = next(self.parameters()).device
        return self.decode(self.prior.sample(num_images, self.encode, generator, device))

    def unit_means(self, posterior: Encoding) -> Tensor:
        """E[z|x], ``[B, D]``; of a flow over a few draws that are the same for every item."""
        return self.posterior.means(posterior)

    def unit_stds(self, posterior: Encoding) -> Tensor | None:
        """σ, ``[B, D]``; None of a flow."""
        return self.posterior.stds(posterior)

    def unit_kl(self, posterior: Encoding) -> Tensor | None:
        """From the prior's marginal of every unit, ``[B, D]``; None of a flow: its marginals are unknown."""
        if isinstance(posterior, Posterior):
            return self.prior.unit_kl(posterior, self.encode)
        return None

    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """``model/observation_std`` of a Gaussian likelihood."""
        return self.likelihood.metrics()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The layers' weights and biases, and with the encoder's what else q has.

        In neither are the own parameters of likelihood and prior, and a flow's r(v|z): it is no part of q but
        of what q is weighed against.
        """
        encoder = [*self.encoder.parameters(), *self.posterior.own_parameters()]
        return {"encoder": encoder, "decoder": list(self.decoder.parameters())}

    @property
    def widest(self) -> int:
        """The largest of the last layer's and the hidden widths, and of the prior's distances."""
        return self._widest


def _widest(config: LatentPart, layout: Layout) -> int:
    latents, numbers = config.latent_dim, config.numbers_per_pixel
    layers = config.encoder_layers(layout, 1)[:-1] + config.decoder_layers(layout, latents, numbers)
    flow = [width for widths in config.posterior.networks(latents) for width in widths]
    return max(config.prior.num_components * latents, *(layer.outputs for layer in layers), *flow)


def _rename(module: nn.Module, state: dict[str, Any], prefix: str, *others: object) -> None:
    """Before likelihoods were modules, a Gaussian's log σ was a parameter of the model itself."""
    before = f"{prefix}observation_log_std"
    if before in state:
        state[f"{prefix}likelihood.log_std"] = state.pop(before)
