"""What a trainer, an evaluation, a picture and a served model may ask of a model.

A new family is a file here with a child of ``Model``, a class in ``iwae/config/model.py`` whose ``built_by``
names it, and that class in the union there.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from iwae.config.model import ModelConfig
from iwae.model.densities import LogDensities

# What ``encode`` gives: a type of the model's own, which only the model looks into; a row an image.
Encoding = Any


class Densities(Protocol):
    """What an objective asks of a model."""

    @property
    def widest(self) -> int:
        """See ``Model``."""

    def encode(self, x: Tensor) -> Encoding:
        """See ``Model``."""

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """See ``Model``."""

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
        """See ``Model``."""


class Model(nn.Module, ABC):
    """Densities of images and latents.

    Keeps no state between calls: what comes out depends on parameters, pixels and noise only, so that many
    models can be trained in one call by ``torch.func`` over stacked parameters.

    K is the number of importance samples, B of images, X of pixels and D of latent units; densities are in
    nats.

    Args:
        config: of its own family.
        num_pixels: X.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: ``[N, X]`` training pixels in [0, 1] or their bytes, for an initialization that asks
            for them.
    """

    config: ModelConfig
    num_pixels: int
    # Memory for what waits for a backward pass; of what is beyond, ``log_densities`` computes the samples a
    # second time when their gradient is asked for.
    activation_bytes = 2**30

    @abstractmethod
    def __init__(
        self,
        config: Any,
        num_pixels: int,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__()

    @abstractmethod
    def encode(self, x: Tensor) -> Encoding:
        """q(z|x) of pixels ``[B, X]``."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) at latents ``[..., D]``: ``[..., X]``."""

    @abstractmethod
    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """Shape of the standard normal noise of ``log_densities``: ``(K, B, ...)``."""

    @abstractmethod
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
        """Densities at ``num_samples`` reparameterized draws from q(z|x).

        Args:
            x: pixels, ``[B, X]``.
            num_samples: K.
            noise: of the shape ``noise_shape``; None draws it.
            generator: where the noise is drawn from when ``noise`` is None.
            posterior: ``encode(x)`` where the caller has it already.
            stop_posterior: no gradient reaches the parameters of q through its density, only through the
                draws (Roeder et al. 2017).
        """

    @abstractmethod
    def sample(self, num_images: int, generator: torch.Generator | None = None) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``."""

    @abstractmethod
    def unit_means(self, posterior: Encoding) -> Tensor:
        """Posterior mean of every latent unit, ``[B, D]``; ``decode`` takes them."""

    @abstractmethod
    def unit_kl(self, posterior: Encoding) -> Tensor:
        """KL of every latent unit from its prior, ``[B, D]``."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of ``encoder`` and of ``decoder``, whose gradients' signal-to-noise ratios are shown.

        A parameter in neither is trained with the decoder's.
        """

    @property
    @abstractmethod
    def widest(self) -> int:
        """Units of the widest layer, pixels included: what a row of activations takes in memory."""

    @staticmethod
    @abstractmethod
    def pixels_in(tensors: Mapping[str, Tensor]) -> int:
        """X of the model that has these parameters, by their names in its ``state_dict``."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Mean of p(x|z) at the posterior's mean, ``[B, X]``."""
        return self.decode(self.unit_means(self.encode(x)))
