"""The best model as MLflow serves it: images in, −L_K per image out. No MLflow: MLflow calls this.

model = mlflow.pyfunc.load_model("models:/m-...")
nll = model.predict(images, params={"num_samples": 1000})    # images [N, X] in [0, 1] -> nats [N]
means = model.predict(images, params={"output": "reconstruction"})    # -> [N, X]
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.trainer import load

DEFAULT_SAMPLES = 100
OUTPUTS = ("nll", "reconstruction")
_LOG_WEIGHTS_AT_ONCE = 20_000
_SEED = 0


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

        Args:
            images: ``[N, X]``, pixels in [0, 1] (0 or 1 for a Bernoulli likelihood); any N.
            params: ``num_samples``, K of the bound; ``output``, ``nll`` for −L_K in nats ``[N]`` or
                ``reconstruction`` for the mean image of the posterior's mean ``[N, X]``.

        Raises:
            ValueError: an output of another name, or K below 1.
        """
        given = {"num_samples": DEFAULT_SAMPLES, "output": "nll", **(params or {})}
        num_samples, output = int(given["num_samples"]), given["output"]
        if output not in OUTPUTS:
            raise ValueError(f"output: {output!r} is not allowed: must be one of {', '.join(OUTPUTS)}")
        if num_samples < 1:
            raise ValueError(f"num_samples: {num_samples} is not allowed: must be >= 1")
        x = torch.as_tensor(np.asarray(images, dtype=np.float32))
        if output == "reconstruction":
            means: np.ndarray = self.model.reconstruct(x).numpy()
            return means
        rows = max(1, _LOG_WEIGHTS_AT_ONCE // num_samples)
        noise = torch.Generator().manual_seed(_SEED)  # the same images get the same numbers
        parts = [self._nll(x[first : first + rows], num_samples, noise) for first in range(0, len(x), rows)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def _nll(self, x: Tensor, num_samples: int, noise: torch.Generator) -> np.ndarray:
        densities = self.model.log_densities(x, num_samples, generator=noise)
        log_w = densities.log_p_x_given_z + densities.log_p_z - densities.log_q_z_given_x
        nll: np.ndarray = (math.log(num_samples) - log_w.logsumexp(0)).numpy()
        return nll


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; ``path`` is the safetensors file."""
    return ServedModel(Path(path))
