"""Two stochastic layers: q(z1|x) q(z2|z1) and p(z2) p(z1|z2) p(x|z1) (Burda et al. 2016, §5)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from iwae.config.layout import Layout
from iwae.config.model import TwoLayerConfig
from iwae.memory import FLOAT_BYTES
from iwae.model.densities import LogDensities, Posterior, log_standard_normal
from iwae.model.initialization import initialize
from iwae.model.layers import ACTIVATIONS, dense, initialize_dense
from iwae.model.likelihood import build_likelihood, pixel_statistics
from iwae.model.networks import decoded_log_prob, decoder_network, encoder_network
from iwae.model.protocol import LatentModel

# Draws of (z1, z2) over which means and KLs of units are taken: pairs ε, −ε, which leave no error in what is
# linear, and the same for every item, so that they add little to how the means vary over items.
PAIRS, SEED = 50, 0
# Items for which all of these draws are in memory at once.
ITEMS_AT_ONCE = 100


class Draws(NamedTuple):
    """Draws of z1 ``[K, B, D1]`` and z2 ``[K, B, D2]``, with what they are drawn from and told by.

    Attributes:
        z1: from q(z1|x).
        z2: from q(z2|z1).
        q2: q(z2|z1).
        p1: p(z1|z2).
    """

    z1: Tensor
    z2: Tensor
    q2: Posterior
    p1: Posterior


class TwoLayer(LatentModel):
    """A chain of two layers of Gaussian latents. Among its units those of z1 come first.

    E[z2|x] and KLs have no closed form and are means over ``2 · PAIRS`` fixed draws. The authors' code takes
    one draw of z1 for each of 500 training images, whose own spread is then in the variance too.

    Args:
        config: layers, likelihood, initialization.
        layout: of an item.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: ``[N, X]``, as ``VAE`` takes them.
    """

    def __init__(
        self,
        config: TwoLayerConfig,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__(config, layout)
        self.config: TwoLayerConfig = config
        activation, first = ACTIVATIONS[config.activation], config.first_latent_dim
        self.encoder = encoder_network(config, layout, 2 * first)
        self.latent_encoder = dense(config.latent_encoder_widths, activation)
        self.latent_decoder = dense(config.latent_decoder_widths, activation)
        self.decoder = decoder_network(config, layout, first, config.numbers_per_pixel)
        self.likelihood = build_likelihood(config, layout.num_pixels)
        if generator is not None:
            statistics = None if train_pixels is None else pixel_statistics(train_pixels)
            outer, inner = ([(2 * units, units)] for units in config.layers)  # mean and log-variance
            initialize(self.encoder, self.decoder, self.likelihood, config, generator, statistics, outer)
            initialize_dense(self.latent_encoder, config.init, generator, inner)
            initialize_dense(self.latent_decoder, config.init, generator, outer)
        self._sample_bytes = FLOAT_BYTES * config.floats(layout).sample

    def encode(self, x: Tensor) -> Posterior:
        """q(z1|x) of items ``[B, X]``: ``[B, D1]`` each."""
        return Posterior.of(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z1) at ``[..., D1]``: ``[..., X]``."""
        return self.likelihood.mean(self.decoder(z))

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, D1 + D2)``."""
        return num_samples, num_images, self.config.num_units

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
        """Densities at joint draws of z1 and z2, ``[K, B]``. The first network runs once, whatever K is.

        ``kl`` is what the draws say of KL(q(z1, z2|x) ‖ p(z1, z2)), ``[B, 1]``.
        """
        q = self.encode(x) if posterior is None else posterior
        if noise is None:
            shape = self.noise_shape(num_samples, len(q.mean))
            noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
        assert noise.shape[0] == num_samples
        at_once = max(1, self.activation_bytes // (len(q.mean) * self._sample_bytes))
        if num_samples <= at_once or not torch.is_grad_enabled():
            terms = self._terms(noise, x, q, stop_posterior)
        else:
            options: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}
            draws = torch.split(noise, at_once)
            items = [x] * len(draws) if x.dim() == 2 else torch.split(x, at_once)
            parts = [
                checkpoint(self._terms, *part, q, stop_posterior, **options)
                for part in zip(draws, items, strict=True)
            ]
            terms = tuple(torch.cat(term) for term in zip(*parts, strict=True))
        log_p_x_given_z, log_p_z, log_q_z_given_x = terms
        kl = (log_q_z_given_x - log_p_z).detach().mean(0)
        return LogDensities(log_p_x_given_z, log_p_z, log_q_z_given_x, kl.unsqueeze(-1))

    def _terms(self, noise: Tensor, x: Tensor, q: Posterior, stop: bool) -> tuple[Tensor, ...]:
        """Log p(x|z1), log p(z1, z2) and log q(z1, z2|x) at the draws of ``noise``, ``[k, B]`` each."""
        z1, z2, q2, p1 = self._draw(q, noise)
        if stop:
            # z1 is a draw itself: what is stopped in the density of z2 are the parameters, not z1.
            parameters = {name: p.detach() for name, p in self.latent_encoder.named_parameters()}
            q2 = Posterior.of(functional_call(self.latent_encoder, parameters, (z1,)))
            log_q = q.detached().unit_log_density(z1).sum(-1) + q2.unit_log_density(z2).sum(-1)
        else:
            log_q = log_standard_normal(noise) - q.log_std.sum(-1) - q2.log_std.sum(-1)
        log_p_z = log_standard_normal(z2) + p1.unit_log_density(z1).sum(-1)
        return self.log_likelihood(z1, x), log_p_z, log_q

    def _draw(self, q: Posterior, noise: Tensor) -> Draws:
        """z1 and z2 from noise ``[K, B, D1 + D2]``."""
        first, second = torch.split(noise, list(self.config.layers), -1)
        z1 = q.draw(first)
        q2 = Posterior.of(self.latent_encoder(z1))
        z2 = q2.draw(second)
        return Draws(z1, z2, q2, Posterior.of(self.latent_decoder(z2)))

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z1) of items ``[B, X]`` or ``[K, B, X]`` at ``[K, B, D1]``: ``[K, B]``, in nats."""
        return decoded_log_prob(self.decoder, self.likelihood, z, x)

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z1) at draws of z2 and then z1, ``[num_images, X]``; it is told no attributes."""
        parameter = next(self.parameters())
        noise = torch.randn(num_images, self.config.num_units, generator=generator, device=parameter.device)
        first, second = torch.split(noise.to(parameter.dtype), list(self.config.layers), -1)
        return self.decode(Posterior.of(self.latent_decoder(second)).draw(first))

    def codes(self, posterior: Posterior) -> Tensor:
        """E[z1|x], ``[B, D1]``: given z1, x does not depend on z2."""
        return posterior.mean

    def unit_means(self, posterior: Posterior) -> Tensor:
        """E[z1|x] and E[z2|x], ``[B, D1 + D2]``."""

        def means(q: Posterior, noise: Tensor) -> Tensor:
            return torch.cat((q.mean, self._draw(q, noise).q2.mean.mean(0)), -1)

        return self._over_draws(posterior, means)

    def unit_stds(self, posterior: Posterior) -> Tensor:
        """Of z1 under q(z1|x), and of z2 whatever z1 is, ``[B, D1 + D2]``."""

        def stds(q: Posterior, noise: Tensor) -> Tensor:
            q2 = self._draw(q, noise).q2
            variance = torch.exp(2 * q2.log_std).mean(0) + q2.mean.var(0, correction=0)
            return torch.cat((torch.exp(q.log_std), variance.sqrt()), -1)

        return self._over_draws(posterior, stds)

    def unit_kl(self, posterior: Posterior) -> Tensor:
        """Each unit's part of KL(q(z1, z2|x) ‖ p(z1, z2)), ``[B, D1 + D2]``.

        Of z1 the mean of log q(z1_d|x) − log p(z1_d|z2), which may be below 0; of z2 that of
        KL(q(z2_d|z1) ‖ p(z2_d)).
        """

        def parts(q: Posterior, noise: Tensor) -> Tensor:
            z1, _, q2, p1 = self._draw(q, noise)
            first = (q.unit_log_density(z1) - p1.unit_log_density(z1)).mean(0)
            return torch.cat((first, q2.kl().mean(0)), -1)

        return self._over_draws(posterior, parts)

    def _over_draws(self, posterior: Posterior, function: Callable[[Posterior, Tensor], Tensor]) -> Tensor:
        """``function`` of the posteriors and the noise of the fixed draws, for some items at a time."""
        mean = posterior.mean
        half = torch.randn(PAIRS, 1, self.config.num_units, generator=torch.Generator().manual_seed(SEED))
        noise = torch.cat((half, -half)).to(mean)  # [2 · PAIRS, 1, D1 + D2], on the device
        parts = zip(*(torch.split(tensor, ITEMS_AT_ONCE) for tensor in posterior), strict=True)
        return torch.cat([function(Posterior(*part), noise) for part in parts])

    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """``model/observation_std`` of a Gaussian likelihood."""
        return self.likelihood.metrics()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The layers' weights and biases; a learned observation σ is in neither group."""
        encoder, decoder = (self.encoder, self.latent_encoder), (self.latent_decoder, self.decoder)
        return {
            "encoder": [parameter for layers in encoder for parameter in layers.parameters()],
            "decoder": [parameter for layers in decoder for parameter in layers.parameters()],
        }

    @property
    def widest(self) -> int:
        """The largest width of a layer that every sample takes, and X."""
        config, first = self.config, self.config.first_latent_dim
        decoder = config.decoder_layers(self.layout, first, config.numbers_per_pixel)
        between = (*config.latent_encoder_widths, *config.latent_decoder_widths)
        return max(self.num_pixels, *between, *(layer.outputs for layer in decoder))
