"""Encoder, decoder, factorized Gaussian posterior and standard normal prior.

Nothing here keeps state between calls: what comes out depends on parameters, pixels and noise only, so that
many models can be trained in one call by ``torch.func`` over stacked parameters.
"""

import torch
from torch import Tensor, nn

from iwae.config.model import ModelConfig
from iwae.model.densities import LogDensities, Posterior
from iwae.model.initialization import initialize
from iwae.model.layers import ACTIVATIONS, _layers
from iwae.model.likelihood import HALF_LOG_TWO_PI, bernoulli_log_likelihood, gaussian_log_likelihood

# log σ² beyond these is no posterior anyone trains, and its exponential would end in infinity.
MAX_LOG_VARIANCE = 20.0
# A byte is known to 1/255: a smaller σ that is learned would describe the rounding, and the density would
# grow without end. One that is fixed is used as it is.
MIN_LEARNED_LOG_STD = -7.0


class VAE(nn.Module):
    """A variational autoencoder with one stochastic layer.

    Args:
        config: layers, likelihood, initialization.
        num_pixels: X.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: ``[N, X]`` training pixels in [0, 1] or their bytes; needed by ``output_bias:
            train_mean`` and by a learned observation σ, which starts at their spread around their mean.
    """

    def __init__(
        self,
        config: ModelConfig,
        num_pixels: int,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.num_pixels = num_pixels
        decoder_dims = config.decoder_hidden_dims
        if decoder_dims is None:
            decoder_dims = config.hidden_dims[::-1]
        activation = ACTIVATIONS[config.activation]
        self.encoder = _layers((num_pixels, *config.hidden_dims, 2 * config.latent_dim), activation)
        self.decoder = _layers((config.latent_dim, *decoder_dims, num_pixels), activation)
        if config.likelihood == "gaussian" and config.observation_std == "learned":
            self.observation_log_std = nn.Parameter(torch.zeros(()))
        elif config.likelihood == "gaussian":
            self.register_buffer("observation_log_std", torch.tensor(float(config.observation_std)).log())
        if generator is not None:
            initialize(self, generator, train_pixels)

    def encode(self, x: Tensor) -> Posterior:
        """q(z|x) of pixels ``[B, X]``."""
        mean, log_variance = self.encoder(x).chunk(2, -1)
        return Posterior(mean, 0.5 * log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) for latents ``[..., D]``: probabilities (Bernoulli) or intensities, ``[..., X]``."""
        output: Tensor = self.decoder(z)
        return torch.sigmoid(output) if self.config.likelihood == "bernoulli" else output

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Posterior | None = None,
    ) -> LogDensities:
        """Densities at ``num_samples`` reparameterized draws z = μ + σ ε from q(z|x).

        The encoder runs once, whatever the number of samples.

        Args:
            x: pixels, ``[B, X]``.
            num_samples: K.
            noise: ε, ``[K, B, D]``; None draws it.
            generator: where the noise is drawn from when ``noise`` is None.
            posterior: ``encode(x)`` where the caller has it already.
        """
        q = self.encode(x) if posterior is None else posterior
        if noise is None:
            shape = (num_samples, *q.mean.shape)
            noise = torch.randn(shape, generator=generator, device=x.device, dtype=q.mean.dtype)
        assert noise.shape[0] == num_samples
        z = q.mean + torch.exp(q.log_std) * noise
        constant = q.mean.shape[-1] * HALF_LOG_TWO_PI
        return LogDensities(
            log_p_x_given_z=self.log_likelihood(z, x),
            log_p_z=-0.5 * z.square().sum(-1) - constant,
            log_q_z_given_x=-0.5 * noise.square().sum(-1) - q.log_std.sum(-1) - constant,
            kl=q.kl(),
        )

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) of pixels ``[B, X]`` at latents ``[K, B, D]``: ``[K, B]``, in nats."""
        output = self.decoder(z)
        if self.config.likelihood == "bernoulli":
            return bernoulli_log_likelihood(output, x)
        log_std: Tensor = self.observation_log_std
        if self.config.observation_std == "learned":
            log_std = log_std.clamp_min(MIN_LEARNED_LOG_STD)
        return gaussian_log_likelihood(output, x, log_std)

    def sample(self, num_images: int, generator: torch.Generator | None = None) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``."""
        parameter = next(self.parameters())
        shape = (num_images, self.config.latent_dim)
        return self.decode(torch.randn(shape, generator=generator, device=parameter.device))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Mean of p(x|z) at the posterior's mean, ``[B, X]``."""
        return self.decode(self.encode(x).mean)
