"""A trained model and what is asked of it: sample, reconstruct, embed, log-likelihood.

model = TrainedModel.load("model.safetensors")
images = model.sample(16, seed=0)                       # [16, X] in [0, 1]
log_p = model.log_likelihood(images.round(), 1000)      # [16], nats
means, stds = model.embed(images.round())               # [16, D] each
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from iwae.config.train import TrainConfig
from iwae.errors import UserError
from iwae.inputs import Inputs
from iwae.model.protocol import FittedModel, LatentModel, Model
from iwae.model.weights import load_trained
from iwae.objectives.bounds import log_weights
from iwae.randomness import generator
from iwae.scaling import Scaling

DEFAULT_SAMPLES = 100
LOG_WEIGHTS_AT_ONCE = 20_000
ITEMS_AT_ONCE = 500


class Embeddings(NamedTuple):
    """q(z|x) of items.

    Attributes:
        means: of every latent unit, float32 ``[N, D]``.
        stds: standard deviations, float32 ``[N, D]``; None where a code has no spread, or one without a
            closed form.
    """

    means: np.ndarray
    stds: np.ndarray | None


class TrainedModel:
    """A trained model on the CPU. Arrays in are NumPy's, PyTorch's or a DataFrame; arrays out are NumPy's.

    Items are ``[N, X]`` or ``[N, ...]`` in their own shape, any N: pixels in [0, 1] (0 or 1 under a Bernoulli
    likelihood), other data in their own unit. A conditional model is also given ``labels``, classes ``[N]``
    or attributes ``[N, Y]``, or items with the attributes behind them, ``[N, X + Y]``. What comes out does
    not depend on what else is in the batch, and is in the unit of the data.

    Args:
        model: the model, on the CPU.
        config: what it was trained by.
        scaling: of the data, where they were scaled.

    Attributes:
        model: the PyTorch module.
        config: what it was trained by.
        scaling: of the data, where they were scaled.
        inputs: what it takes.
    """

    def __init__(self, model: Model, config: TrainConfig, scaling: Scaling | None = None) -> None:
        self.model = model
        self.config = config
        self.scaling = scaling
        self.inputs = Inputs(config, model.layout, scaling)

    @classmethod
    def load(cls, path: Path | str) -> "TrainedModel":
        """The model in a safetensors file, or in the folder that holds ``model.safetensors``.

        Raises:
            CheckpointError: there is no such file, or it is not one that a trial wrote.
        """
        return cls(*load_trained(path))

    @property
    def num_pixels(self) -> int:
        """X, the numbers of an item."""
        return self.model.num_pixels

    @torch.no_grad()
    def sample(self, num_images: int, seed: int = 0, label: Any = None) -> np.ndarray:
        """Means of p(x|z) at draws from the prior, ``[num_images, X]``; the same for the same seed.

        Args:
            num_images: how many.
            seed: of the draws.
            label: the class that a conditional model is told, or the attributes ``[Y]`` of one that is told
                these; None takes the classes in turn.

        Raises:
            UserError: the model has no distribution to draw from.
            ValueError: fewer than one image is asked for, or there is no such class.
        """
        _refuse_below_one("num_images", num_images)
        if not self.config.model.generates:
            raise UserError(f"samples: {self.config.model.name} has no distribution to draw from")
        attributes = self.inputs.told(label, num_images)
        return self._in_own_unit(self.model.sample(num_images, generator(seed, "samples"), attributes))

    @torch.no_grad()
    def reconstruct(self, images: Any, labels: Any = None) -> np.ndarray:
        """Mean of p(x|z) at the posterior's mean, ``[N, X]``.

        Raises:
            DataError: the items are not such as the model was trained on.
        """
        x = self.inputs.checked(images, labels)
        return self._in_own_unit(_in_blocks(lambda part: self.model.reconstruct(part), x, self.num_pixels))

    @torch.no_grad()
    def encode(self, images: Any, labels: Any = None) -> np.ndarray:
        """Posterior means of the latents, float32 ``[N, D]``.

        Raises:
            DataError: the items are not such as the model was trained on.
        """
        return self.embed(images, labels).means

    @torch.no_grad()
    def embed(self, images: Any, labels: Any = None) -> Embeddings:
        """Posterior means and standard deviations of the latents.

        Raises:
            DataError: the items are not such as the model was trained on.
        """
        return self.embeddings(self.inputs.checked(images, labels))

    @torch.no_grad()
    def embeddings(self, x: Tensor) -> Embeddings:
        """What ``embed`` gives, of items as the model sees them, ``[N, X]`` or ``[N, X + Y]``."""
        means, stds = [], []
        for part in torch.split(x, ITEMS_AT_ONCE) if len(x) else [x]:
            posterior = self.model.encode(part)
            means.append(self.model.unit_means(posterior))
            stds.append(self.model.unit_stds(posterior))
        known = [std for std in stds if std is not None]
        return Embeddings(torch.cat(means).numpy(), torch.cat(known).numpy() if known else None)

    @torch.no_grad()
    def log_likelihood(
        self, images: Any, num_samples: int = DEFAULT_SAMPLES, labels: Any = None
    ) -> np.ndarray:
        """Log p(x), of a conditional model log p(x|y), or what is known of it: float64 ``[N]``, nats.

        Where it has no closed form it is L_K, a lower bound that tightens with K; of a family whose code is
        deterministic a lower bound, whatever K. It is a density in the unit of the data. The noise of an item
        is seeded by its numbers, and each is computed by itself: its number is the same to the bit wherever
        it stands and whatever stands beside it.

        Args:
            images: see the class.
            num_samples: K.
            labels: see the class.

        Raises:
            DataError: the items are not such as the model was trained on.
            UserError: the model has no likelihood.
            ValueError: K is below 1.
        """
        _refuse_below_one("num_samples", num_samples)
        family = self.config.model
        if family.evidence == "none":
            raise UserError(f"nll: {family.name} has no likelihood: must be embeddings or reconstruction")
        x = self.inputs.checked(images, labels)
        unit = 0.0 if self.scaling is None else self.scaling.log_determinant
        if isinstance(self.model, FittedModel):
            exact: np.ndarray = self.model.log_evidence(x).numpy() + unit
            return exact
        samples = min(num_samples, family.most_samples or num_samples)
        return np.array([self._log_likelihood(item, samples) + unit for item in x])

    def _log_likelihood(self, item: Tensor, num_samples: int) -> float:
        """L_K of one item as the model sees it."""
        assert isinstance(self.model, LatentModel)
        digest = hashlib.sha256(item.numpy().tobytes()).digest()
        noise = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
        log_sum = torch.tensor(-math.inf, dtype=torch.float64)
        for done in range(0, num_samples, LOG_WEIGHTS_AT_ONCE):
            size = min(LOG_WEIGHTS_AT_ONCE, num_samples - done)
            log_w = log_weights(self.model.log_densities(item[None], size, generator=noise))  # [k, 1]
            log_sum = torch.logaddexp(log_sum, log_w.double().logsumexp(0)[0])
        return float(log_sum) - math.log(num_samples)

    def _in_own_unit(self, x: Tensor) -> np.ndarray:
        """What a model sees, ``[N, X]``, in the unit of the data: float32 pixels, float64 where scaled."""
        values: np.ndarray = x.numpy() if self.scaling is None else self.scaling.undo(x.numpy())
        return values


def _in_blocks(of: Callable[[Tensor], Tensor], x: Tensor, width: int) -> Tensor:
    return (
        torch.cat([of(part) for part in torch.split(x, ITEMS_AT_ONCE)]) if len(x) else x.new_zeros(0, width)
    )


def _refuse_below_one(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name}: {number} is not allowed: must be >= 1")
