"""A trained model and what is asked of it: sample, reconstruct, encode, log-likelihood.

model = TrainedModel.load("model.safetensors")
images = model.sample(16, seed=0)                       # [16, X] in [0, 1]
log_p = model.log_likelihood(images.round(), 1000)      # [16], nats
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.config.train import TrainConfig
from iwae.errors import DataError
from iwae.model.protocol import LatentModel, Model
from iwae.model.weights import load_trained
from iwae.objectives.bounds import log_weights
from iwae.randomness import generator
from iwae.scaling import Scaling

DEFAULT_SAMPLES = 100
LOG_WEIGHTS_AT_ONCE = 20_000


class TrainedModel:
    """A trained model on the CPU. Arrays in are NumPy's, PyTorch's or a DataFrame; arrays out are NumPy's.

    Images are ``[N, X]`` or ``[N, H, W]`` with H · W = X, pixels in [0, 1] (0 or 1 for a Bernoulli
    likelihood); any N. What comes out does not depend on what else is in the batch.

    Args:
        model: the model, on the CPU.
        config: what it was trained by.
        scaling: of the data, where they were scaled.

    Attributes:
        model: the PyTorch module.
        config: what it was trained by.
    """

    def __init__(self, model: Model, config: TrainConfig, scaling: Scaling | None = None) -> None:
        self.model = model
        self.config = config
        self.scaling = scaling

    @classmethod
    def load(cls, path: Path | str) -> "TrainedModel":
        """The model in a safetensors file, or in the folder that holds ``model.safetensors``.

        Raises:
            CheckpointError: there is no such file, or it is not one that a trial wrote.
        """
        return cls(*load_trained(path))

    @property
    def num_pixels(self) -> int:
        """X, the pixels of an image."""
        return self.model.num_pixels

    @torch.no_grad()
    def sample(self, num_images: int, seed: int = 0) -> np.ndarray:
        """Means of p(x|z) at draws from the prior, float32 ``[num_images, X]``; the same for the same seed.

        Raises:
            ValueError: fewer than one image is asked for.
        """
        _refuse_below_one("num_images", num_images)
        images: np.ndarray = self.model.sample(num_images, generator(seed, "samples")).numpy()
        return images

    @torch.no_grad()
    def reconstruct(self, images: Any) -> np.ndarray:
        """Mean of p(x|z) at the posterior's mean, float32 ``[N, X]``.

        Raises:
            DataError: the images are not such as the model was trained on.
        """
        means: np.ndarray = self.model.reconstruct(self._checked(images)).numpy()
        return means

    @torch.no_grad()
    def encode(self, images: Any) -> np.ndarray:
        """Posterior means of the latents, float32 ``[N, D]``.

        Raises:
            DataError: the images are not such as the model was trained on.
        """
        means: np.ndarray = self.model.unit_means(self.model.encode(self._checked(images))).numpy()
        return means

    @torch.no_grad()
    def log_likelihood(self, images: Any, num_samples: int = DEFAULT_SAMPLES) -> np.ndarray:
        """L_K, a lower bound on log p(x) that tightens with K: float64 ``[N]``, nats.

        The noise of an image is seeded by its pixels, and each is computed by itself: its number is the same
        to the bit wherever it stands and whatever stands beside it.

        Args:
            images: see the class.
            num_samples: K.

        Raises:
            DataError: the images are not such as the model was trained on.
            ValueError: K is below 1.
        """
        _refuse_below_one("num_samples", num_samples)
        return np.array([self._log_likelihood(image, num_samples) for image in self._checked(images)])

    def _log_likelihood(self, image: Tensor, num_samples: int) -> float:
        """L_K of one image ``[X]``."""
        assert isinstance(self.model, LatentModel)
        digest = hashlib.sha256(image.numpy().tobytes()).digest()
        noise = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
        log_sum = torch.tensor(-math.inf, dtype=torch.float64)
        for done in range(0, num_samples, LOG_WEIGHTS_AT_ONCE):
            size = min(LOG_WEIGHTS_AT_ONCE, num_samples - done)
            log_w = log_weights(self.model.log_densities(image[None], size, generator=noise))  # [k, 1]
            log_sum = torch.logaddexp(log_sum, log_w.double().logsumexp(0)[0])
        return float(log_sum) - math.log(num_samples)

    def _checked(self, images: Any) -> Tensor:
        """The images as float32 ``[N, X]``, after the checks that training makes too."""
        pixels = np.asarray(images, dtype=np.float32)
        if pixels.ndim == 3:
            pixels = pixels.reshape(len(pixels), -1)  # [N, H, W] -> [N, X]
        if pixels.ndim != 2 or pixels.shape[1] != self.num_pixels:
            raise DataError(
                f"images: shape {np.shape(images)} is not allowed: must be [N, {self.num_pixels}]"
            )
        if not np.isfinite(pixels).all():
            raise DataError("images: NaN or infinity is not allowed: must be pixels in [0, 1]")
        if ((pixels < 0) | (pixels > 1)).any():
            low, high = pixels.min(), pixels.max()
            raise DataError(
                f"images: {low:g} to {high:g} is not allowed: must be in [0, 1] (bytes are divided by 255)"
            )
        if self.model.config.likelihood == "bernoulli" and ((pixels != 0) & (pixels != 1)).any():
            gray = pixels[(pixels != 0) & (pixels != 1)][0]
            raise DataError(
                f"images: {gray:g} is not allowed: must be 0 or 1, as the model was trained on binary pixels"
            )
        return torch.from_numpy(pixels + 0.0)  # of which none is −0.0, in memory of its own


def _refuse_below_one(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name}: {number} is not allowed: must be >= 1")
