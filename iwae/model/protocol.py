"""What a trainer, an evaluation, a picture and a served model may ask of a model.

A new family is a file here with a child of ``LatentModel`` or ``FittedModel``, a class in
``iwae/config/model/`` whose ``built_by`` names it, and that class in the union there.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from iwae.config.layout import Layout
from iwae.config.model import ModelConfig
from iwae.model.densities import LogDensities

# What ``encode`` gives: a type of the model's own, which only the model looks into; a row an image.
Encoding = Any


class Densities(Protocol):
    """What an objective asks of a model."""

    @property
    def widest(self) -> int:
        """See ``LatentModel``."""

    def encode(self, x: Tensor) -> Encoding:
        """See ``LatentModel``."""

    def noise_shape(self, num_samples: int, num_images: int) -> tuple[int, ...]:
        """See ``LatentModel``."""

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
        """See ``LatentModel``."""


class Model(nn.Module, ABC):
    """What every family can do: code items, and make items of codes.

    Keeps no state between calls: what comes out depends on parameters, buffers, items and noise only.

    K is the number of importance samples, B of items, X of an item's numbers and D of latent units;
    densities are in nats. A conditional model is given x ``[B, X + Y]``: behind an item's numbers the Y
    attributes that it is told.

    Args:
        config: of its own family.
        layout: of an item.
        generator: of the initialization, on the CPU; None leaves the parameters unset, to be loaded.
        train_pixels: ``[N, X]`` training items as the model sees them, or their bytes, for an initialization
            that asks for them.
    """

    config: ModelConfig
    layout: Layout

    @abstractmethod
    def __init__(
        self,
        config: Any,
        layout: Layout,
        *,
        generator: torch.Generator | None = None,
        train_pixels: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout

    @property
    def num_pixels(self) -> int:
        """X."""
        return self.layout.num_pixels

    @property
    def num_attributes(self) -> int:
        """Y, what it is told of an item; 0 unless it is conditional."""
        return self.layout.num_attributes if self.config.conditional else 0

    @property
    def num_inputs(self) -> int:
        """Numbers of an item as the model is given it: X + Y."""
        return self.num_pixels + self.num_attributes

    @property
    def is_density(self) -> bool:
        """Whether a likelihood of bytes is the density of byte / 255, and no probability."""
        return self.config.likelihood == "gaussian"

    @abstractmethod
    def encode(self, x: Tensor) -> Encoding:
        """q(z|x) of items ``[B, X]``, or their code."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z) at latents ``[..., D]``: ``[..., X]``."""

    @abstractmethod
    def sample(
        self,
        num_images: int,
        generator: torch.Generator | None = None,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``.

        Args:
            num_images: how many.
            generator: of the draws.
            attributes: ``[num_images, Y]``, what a conditional model is told; None takes its classes in turn.
        """

    @abstractmethod
    def unit_means(self, posterior: Encoding) -> Tensor:
        """Posterior mean of every latent unit, ``[B, D]``."""

    def codes(self, posterior: Encoding) -> Tensor:
        """What ``decode`` takes of each item: the posterior means that x depends on.

        Of two layers of units the first, and behind them what a conditional model is told: ``[B, D1 + Y]``.
        """
        return self.unit_means(posterior)

    def unit_stds(self, posterior: Encoding) -> Tensor | None:
        """Standard deviation of every latent unit under q(z|x), ``[B, D]``; None without a closed form."""
        return None

    def reconstruct(self, x: Tensor) -> Tensor:
        """Mean of p(x|z) at the posterior's mean, ``[B, X]``."""
        return self.decode(self.codes(self.encode(x)))

    def extra_metrics(self, x: Tensor) -> dict[str, float]:
        """What else of the family is worth a curve, by MLflow's name, from items ``[B, X]``."""
        return {}


class LatentModel(Model):
    """A model that is trained by the gradients of a bound on log p(x)."""

    # Memory for what waits for a backward pass; of what is beyond, ``log_densities`` computes the samples a
    # second time when their gradient is asked for.
    activation_bytes = 2**30

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
            x: items, ``[B, X]``; or ``[K, B, X]``, the likelihood's for each sample, with ``posterior``.
            num_samples: K.
            noise: of the shape ``noise_shape``; None draws it.
            generator: where the noise is drawn from when ``noise`` is None.
            posterior: ``encode(x)`` where the caller has it already.
            stop_posterior: no gradient reaches the parameters of q through its density, only through the
                draws (Roeder et al. 2017).
        """

    @abstractmethod
    def unit_kl(self, posterior: Encoding) -> Tensor | None:
        """KL of every latent unit from its prior, ``[B, D]``; None where it is not known."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of ``encoder`` and of ``decoder``, whose gradients' signal-to-noise ratios are shown.

        A parameter in neither is trained with the decoder's.
        """

    @property
    @abstractmethod
    def widest(self) -> int:
        """Units of the widest layer, pixels included: what a row of activations takes in memory."""

    def after_step(self, x: Tensor, source: torch.Generator) -> None:
        """Changes what is no parameter, such as moving averages, after an optimizer step.

        Args:
            x: the step's minibatch, ``[B, X]``.
            source: of the run's noise, on the model's device.
        """


class FittedModel(Model):
    """A model without gradients, whose log p(x) is known. Its state is in its buffers."""

    def warm_up(self) -> None:
        """What a process does only once before a fit, such as loading a library."""

    @abstractmethod
    def fit_step(self, x: Tensor, source: torch.Generator) -> None:
        """One iteration of the fit.

        Args:
            x: all training items, ``[N, X]``.
            source: of the run's noise, on the CPU.
        """

    @abstractmethod
    def log_evidence(self, x: Tensor) -> Tensor:
        """Log p(x) of items ``[B, X]``, float64 ``[B]``."""
