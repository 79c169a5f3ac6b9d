"""Bytes under a continuous likelihood: v = (byte + u) / 256 with u drawn from q(u|x) on (0, 1)^X.

The probability of a byte is the density's integral over its cell, P(x) = ∫ p(v) du / 256^X, of which
log p(v) − log q(u|x) − X log 256 is a lower bound in expectation (Theis et al. 2016, eq. 4, with uniform u;
Ho et al. 2019, Flow++, eq. 12, with a learned q).
"""

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from iwae.model.densities import LogDensities
from iwae.model.dequantization.noise_flow import Variational, uniform_of
from iwae.model.protocol import Encoding, LatentModel

# Bytes.
LEVELS = 256


class Dequantized(LatentModel):
    """A model of v = (byte + u) / 256 as a model of the byte.

    The encoder sees the middle of the byte's cell, once; every importance sample has its own u, so that L_K
    tightens over u too. Log p(x|z) here is log p(v|z) − log q(u|x) − X log 256: annealing weighs q(z|x) only,
    and the closed form of its KL stays one.

    Args:
        model: of v; its likelihood takes pixels ``[K, B, X]``.
        variational: whether q(u|x) is learned, or uniform.
        generator: of the start of q(u|x), on the CPU; None leaves it unset, to be loaded.
    """

    def __init__(
        self, model: LatentModel, *, variational: bool, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(model.config, model.layout)
        self.config = model.config
        self.model = model
        self.dequantizer = Variational(model.num_pixels, generator) if variational else None
        self._constant = model.num_pixels * math.log(LEVELS)

    @property
    def activation_bytes(self) -> int:
        """See ``LatentModel``."""
        return self.model.activation_bytes

    @activation_bytes.setter
    def activation_bytes(self, value: int) -> None:
        self.model.activation_bytes = value

    def _cells(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The byte of every pixel, ``[B, X]``, and what a conditional model is told, ``[B, Y]``."""
        pixels, attributes = torch.split(x, [self.num_pixels, x.shape[-1] - self.num_pixels], -1)
        return torch.round(255 * pixels), attributes

    def _middle(self, x: Tensor) -> Tensor:
        """The middles of the cells in place of the bytes, ``[B, X + Y]``."""
        byte, attributes = self._cells(x)
        return torch.cat(((byte + 0.5) / LEVELS, attributes), -1)

    def encode(self, x: Tensor) -> Encoding:
        """The model's own, at the middles of the cells of byte / 255, ``[B, X]``."""
        return self.model.encode(self._middle(x))

    def decode(self, z: Tensor) -> Tensor:
        """Mean of byte / 255, where the model's is of v."""
        return _intensity(self.model.decode(z))

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """``(K, B, D + X)``: of the latents, and of u."""
        of_model = self.model.noise_shape(num_samples, num_images)
        return num_samples, num_images, math.prod(of_model[2:]) + self.num_pixels

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
        """Densities at draws of z and u."""
        encoded = self.encode(x) if posterior is None else posterior
        if noise is None:
            shape = self.noise_shape(num_samples, len(x))
            noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
        of_latents, of_pixels = torch.split(noise, [noise.shape[-1] - self.num_pixels, self.num_pixels], -1)
        byte, attributes = self._cells(x)
        u, log_q = self._draw(of_pixels, byte, stop_posterior)
        v = (byte + u) / LEVELS  # [K, B, X]
        terms = self.model.log_densities(
            torch.cat((v, attributes.expand(num_samples, *attributes.shape)), -1),
            num_samples,
            noise=of_latents.reshape(self.model.noise_shape(num_samples, len(x))),
            posterior=encoded,
            stop_posterior=stop_posterior,
        )
        return terms._replace(log_p_x_given_z=terms.log_p_x_given_z - log_q - self._constant)

    def _draw(self, noise: Tensor, byte: Tensor, stop: bool) -> tuple[Tensor, Tensor | float]:
        """The numbers u in [0, 1), ``[K, B, X]``, and log q(u|x), ``[K, B]``."""
        dequantizer = self.dequantizer
        if dequantizer is None:
            return uniform_of(noise), 0.0
        middle = (byte + 0.5) / LEVELS
        y, log_q = dequantizer.draw(noise, dequantizer.context(middle))
        if stop:
            frozen = {name: parameter.detach() for name, parameter in dequantizer.named_parameters()}
            log_q = functional_call(dequantizer, frozen, (y, middle))
        return dequantizer.in_place(y), log_q

    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of byte / 255 at draws from the prior, ``[num_images, X]``."""
        return _intensity(self.model.sample(num_images, generator, attributes))

    def unit_means(self, posterior: Encoding) -> Tensor:
        """The model's own."""
        return self.model.unit_means(posterior)

    def codes(self, posterior: Encoding) -> Tensor:
        """The model's own."""
        return self.model.codes(posterior)

    def unit_stds(self, posterior: Encoding) -> Tensor | None:
        """The model's own."""
        return self.model.unit_stds(posterior)

    def unit_kl(self, posterior: Encoding) -> Tensor | None:
        """The model's own."""
        return self.model.unit_kl(posterior)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The model's own; q(u|x) is with the encoder."""
        groups = self.model.groups()
        ours = [] if self.dequantizer is None else list(self.dequantizer.parameters())
        return {**groups, "encoder": [*groups["encoder"], *ours]}

    @property
    def widest(self) -> int:
        """The model's, or what u takes of every pixel."""
        return max(self.model.widest, (1 if self.dequantizer is None else 4) * self.num_pixels)

    @property
    def is_density(self) -> bool:
        """The probability of the bytes is bounded."""
        return False

    def after_step(self, x: Tensor, source: torch.Generator) -> None:
        """The model's own."""
        self.model.after_step(self._middle(x), source)

    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """The model's own."""
        return self.model.extra_metrics(self._middle(x))


def _intensity(v: Tensor) -> Tensor:
    """Byte / 255 of v = (byte + ½) / 256."""
    return (LEVELS * v - 0.5) / 255
