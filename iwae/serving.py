"""The best model as MLflow serves it: images in, −L_K per image out. No MLflow: MLflow calls this.

model = mlflow.pyfunc.load_model("models:/m-...")
nll = model.predict(images, params={"num_samples": 1000})    # images [N, X] in [0, 1] -> nats [N]
means = model.predict(images, params={"output": "reconstruction"})    # -> [N, X]

Images are float32: an array, or a DataFrame with a row an image.
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.errors import DataError
from iwae.model.weights import load
from iwae.objectives.bounds import log_weights

DEFAULT_SAMPLES = 100
OUTPUTS = ("nll", "reconstruction")
_LOG_WEIGHTS_AT_ONCE = 20_000


class ServedModel:
    """A trained model behind ``predict``, on the CPU.

    Args:
        path: the safetensors file of a trial.
    """

    def __init__(self, path: Path) -> None:
        self.model = load(path)

    @torch.no_grad()
    def predict(self, images: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Values for images.

        The noise of an image is seeded by its pixels, and each is computed by itself: its number is the same
        to the bit wherever it stands and whatever stands beside it.

        Args:
            images: ``[N, X]``, pixels in [0, 1] (0 or 1 for a Bernoulli likelihood); any N.
            params: ``num_samples``, K of the bound; ``output``, ``nll`` for −L_K in nats ``[N]`` or
                ``reconstruction`` for the mean image of the posterior's mean ``[N, X]``.

        Raises:
            DataError: the images are not such as the model was trained on.
            ValueError: an output of another name, or K below 1.
        """
        given = {"num_samples": DEFAULT_SAMPLES, "output": "nll", **(params or {})}
        num_samples, output = int(given["num_samples"]), given["output"]
        if output not in OUTPUTS:
            raise ValueError(f"output: {output!r} is not allowed: must be one of {', '.join(OUTPUTS)}")
        if num_samples < 1:
            raise ValueError(f"num_samples: {num_samples} is not allowed: must be >= 1")
        x = self._checked(images)
        if output == "reconstruction":
            means: np.ndarray = self.model.reconstruct(x).numpy()
            return means
        return np.array([self._nll(image, num_samples) for image in x], dtype=np.float32)

    def _checked(self, images: Any) -> Tensor:
        """The images as float32 ``[N, X]``, after the checks that training makes too."""
        pixels = np.asarray(images, dtype=np.float32)
        if pixels.ndim != 2 or pixels.shape[1] != self.model.num_pixels:
            raise DataError(
                f"images: shape {pixels.shape} is not allowed: must be [N, {self.model.num_pixels}]"
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
        return torch.from_numpy(pixels + 0.0)  # of which none is −0.0, and no one else's memory

    def _nll(self, image: Tensor, num_samples: int) -> float:
        """−L_K of one image ``[X]``."""
        digest = hashlib.sha256(image.numpy().tobytes()).digest()
        noise = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
        log_sum = torch.tensor(-math.inf, dtype=torch.float64)
        for done in range(0, num_samples, _LOG_WEIGHTS_AT_ONCE):
            size = min(_LOG_WEIGHTS_AT_ONCE, num_samples - done)
            log_w = log_weights(self.model.log_densities(image[None], size, generator=noise))
            log_sum = torch.logaddexp(log_sum, log_w.double().logsumexp(0)[0])
        return math.log(num_samples) - float(log_sum)


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; ``path`` is the safetensors file."""
    return ServedModel(Path(path))
