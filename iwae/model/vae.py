"""Encoder, decoder, factorized Gaussian posterior and standard normal prior."""

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.memory import FLOAT_BYTES
from iwae.model.densities import LogDensities, Posterior
from iwae.model.initialization import initialize, pixel_statistics
from iwae.model.layers import ACTIVATIONS, dense
from iwae.model.likelihood import HALF_LOG_TWO_PI, bernoulli_layer, gaussian_log_likelihood
from iwae.model.protocol import LatentModel

# log σ² beyond these is no posterior anyone trains, and its exponential would end in infinity.
MAX_LOG_VARIANCE = 20.0
# A byte is known to 1/255: a smaller σ that is learned would describe the rounding, and the density would
# grow without end. One that is fixed is used as it is.
MIN_LEARNED_LOG_STD = -7.0


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
        self.decoder = dense((config.latent_dim, *config.decoder_widths, num_pixels), activation)
        if config.likelihood == "gaussian" and config.observation_std == "learned":
            self.observation_log_std = nn.Parameter(torch.zeros(()))
        elif config.likelihood == "gaussian":
            self.register_buffer("observation_log_std", torch.tensor(float(config.observation_std)).log())
        if generator is not None:
            mean, std = (None, None) if train_pixels is None else pixel_statistics(train_pixels)
            initialize(self.encoder, self.decoder, config, generator, mean)
            if config.likelihood == "gaussian" and config.observation_std == "learned" and std is not None:
                nn.init.constant_(self.observation_log_std, math.log(max(std, 1e-2)))

    def encode(self, x: Tensor) -> Posterior:
        """q(z|x) of pixels ``[B, X]``."""
        mean, log_variance = self.encoder(x).chunk(2, -1)  # [B, 2 D] -> [B, D] each
        return Posterior(mean, 0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) for latents ``[..., D]``: probabilities (Bernoulli) or intensities, ``[..., X]``."""
        output: Tensor = self.decoder(z)
        return torch.sigmoid(output) if self.config.likelihood == "bernoulli" else output

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
        return LogDensities(
            log_p_x_given_z=self.log_likelihood(z, x),
            log_p_z=-0.5 * z.square().sum(-1) - constant,
            log_q_z_given_x=-0.5 * noise.square().sum(-1) - log_std.sum(-1) - constant,
            kl=q.kl(),
        )

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) of pixels ``[B, X]`` at latents ``[K, B, D]``: ``[K, B]``, in nats."""
        samples = self._samples_at_once(len(x))
        if len(z) <= samples or not torch.is_grad_enabled():
            return self._log_likelihood(z, x)
        parts = [
            checkpoint(self._log_likelihood, part, x, use_reentrant=False, preserve_rng_state=False)
            for part in torch.split(z, samples)
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
        if self.config.likelihood == "bernoulli":
            return bernoulli_layer(z, last.weight, last.bias, x)
        output = last(z)  # [K, B, H] -> [K, B, X]
        log_std: Tensor = self.observation_log_std
        if self.config.observation_std == "learned":
            log_std = log_std.clamp_min(MIN_LEARNED_LOG_STD)
        return gaussian_log_likelihood(output, x, log_std)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``."""
        parameter = next(self.parameters())
        shape = (num_images, self.config.latent_dim)
        return self.decode(torch.randn(shape, generator=generator, device=parameter.device))

    def unit_means(self, posterior: Posterior) -> Tensor:
        """μ, ``[B, D]``."""
        return posterior.mean

    def unit_stds(self, posterior: Posterior) -> Tensor:
        """σ, ``[B, D]``."""
        return torch.exp(posterior.log_std)

    def unit_kl(self, posterior: Posterior) -> Tensor:
        """In closed form, ``[B, D]``."""
        return posterior.kl()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The layers' weights and biases; a learned observation σ is in neither group."""
        return {"encoder": list(self.encoder.parameters()), "decoder": list(self.decoder.parameters())}

    @property
    def widest(self) -> int:
        """The largest of X and the hidden widths."""
        config = self.config
        return max((self.num_pixels, *config.hidden_dims, *config.decoder_widths))
